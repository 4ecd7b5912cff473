"""Where the time and the bytes of one phase went, by operator and part."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

NO_OP = -1


@dataclass(slots=True)
class Span:
    """Everything one party did for one operator and part within one phase.

    compute_s: neither sending nor waiting. send_s: inside `send` and `flush`. wait_s: inside
    `receive`, the transfer of what is received included. depth_count: messages that made the longest
    chain of dependent messages longer.
    """

    op_id: int
    part: str
    compute_s: float = 0.0
    send_s: float = 0.0
    wait_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    sent_wire_bytes: int = 0
    received_wire_bytes: int = 0
    sent_count: int = 0
    received_count: int = 0
    depth_count: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Span:
        return cls(**values)


class SpanRecorder:
    """Spans of one phase. Spans nest: time counts for the innermost alone."""

    def __init__(self) -> None:
        self._steps: dict[tuple[int, str], _Step] = {}
        self.current = self.step(NO_OP, "").span
        self._since = time.perf_counter()

    @property
    def spans(self) -> list[Span]:
        return [step.span for step in self._steps.values()]

    def step(self, op_id: int, part: str) -> _Step:
        """Within it, time counts for this span: one object a key, for any number of uses."""
        key = (op_id, part)
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = _Step(self, Span(op_id, part))
        return step

    def pause(self) -> None:
        """Books the time since the last mark as computing."""
        now = time.perf_counter()
        self.current.compute_s += now - self._since
        self._since = now

    def book_send(self) -> None:
        now = time.perf_counter()
        self.current.send_s += now - self._since
        self._since = now

    def book_wait(self) -> None:
        now = time.perf_counter()
        self.current.wait_s += now - self._since
        self._since = now


class _Step(AbstractContextManager[None]):
    """A span as a context; within itself it may be entered again."""

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
