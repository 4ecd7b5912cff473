"""Records the time and the bytes of one phase by operator and part."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager

from pi_bench.metrics.timeline import Activity, IntervalLog
from pi_bench.protocol.script import NO_OP
from pi_bench.protocol.span import Span


class SpanRecorder:
    """Spans of one phase. Spans nest, and time counts for the innermost one alone.

    Args:
        spare_steps: how many spans are made ahead, so that the phase does not spend its time on that.
        log: gets every interval that is counted; None keeps none of them.

    >>> recorder = SpanRecorder()
    >>> with recorder.step(3, "he"):
    ...     pass
    >>> [(span.op_id, span.part) for span in recorder.spans]
    [(-1, ''), (3, 'he')]
    """

    def __init__(self, spare_steps: int = 0, log: IntervalLog | None = None) -> None:
        self.log = log
        self._steps: dict[tuple[int, str], _Step] = {}
        self._spare = [_Step(self, Span(NO_OP, "")) for _ in range(spare_steps)]
        self.current = self.step(NO_OP, "").span
        self._since = time.perf_counter()

    @property
    def spans(self) -> list[Span]:
        """All spans so far in the order in which they began."""
        return [step.span for step in self._steps.values()]

    def step(self, op_id: int, part: str) -> _Step:
        """Returns a context in which time counts for this span. Each key has one context for any number of
        uses."""
        key = (op_id, part)
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = self._spare.pop() if self._spare else _Step(self, Span(NO_OP, ""))
            step.span.op_id, step.span.part = key
        return step

    @property
    def step_count(self) -> int:
        """The number of spans so far."""
        return len(self._steps)

    def insert(self, place: int, keys: Iterable[tuple[int, str]]) -> None:
        """Makes the spans of `keys` as if they had begun after the first `place` spans, in this order.

        Spans that exist stay the same, and those among the first `place` keep their places.

        >>> recorder = SpanRecorder()
        >>> with recorder.step(4, ""):
        ...     pass
        >>> recorder.insert(1, [(-1, ""), (2, ""), (4, "")])
        >>> [span.op_id for span in recorder.spans]
        [-1, 2, 4]
        """
        steps = list(self._steps.items())
        later = dict(steps[place:])
        self._steps = dict(steps[:place])
        for key in keys:
            if key in later:
                self._steps[key] = later.pop(key)
            else:
                self.step(*key)
        self._steps |= later

    @property
    def since(self) -> float:
        """The time up to which everything is counted, in seconds of `time.perf_counter`."""
        return self._since

    def resume(self, since: float) -> None:
        """Counts the time from `since` on. The caller has counted the time before it."""
        self._since = since

    def pause(self) -> None:
        """Counts the time since the last call as computing."""
        now = time.perf_counter()
        self.current.compute_s += now - self._since
        if self.log is not None:
            self.log.add(self.current, Activity.COMPUTE, self._since, now)
        self._since = now

    def book_send(self, span: Span | None = None, message_bytes: int | None = None) -> None:
        """Counts the time since the last call as sending, for the current span or another one.

        Args:
            message_bytes: the payload of the message that was sent by then; None where it was a part of one.
        """
        now, span = time.perf_counter(), span or self.current
        span.send_s += now - self._since
        if self.log is not None:
            self.log.add(span, Activity.SEND, self._since, now, message_bytes)
        self._since = now

    def book_wait(self, span: Span | None = None, message_bytes: int | None = None) -> None:
        """Counts the time since the last call as waiting, for the current span or another one.

        Args:
            message_bytes: the payload of the message that had come by then; None where it was a part of one.
        """
        now, span = time.perf_counter(), span or self.current
        span.wait_s += now - self._since
        if self.log is not None:
            self.log.add(span, Activity.WAIT, self._since, now, message_bytes)
        self._since = now


class _Step(AbstractContextManager[None]):
    """A span as a context, which may be entered again within itself."""

    __slots__ = ("_outer", "_recorder", "span")

    def __init__(self, recorder: SpanRecorder, span: Span) -> None:
        self._recorder = recorder
        self._outer: list[Span] = []
        self.span = span

    def __enter__(self) -> None:
        recorder = self._recorder
        recorder.pause()
        self._outer.append(recorder.current)
        recorder.current = self.span

    def __exit__(self, *_: object) -> None:
        recorder = self._recorder
        recorder.pause()
        recorder.current = self._outer.pop()
