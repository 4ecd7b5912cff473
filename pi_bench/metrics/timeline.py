"""Keeps when one party computed, sent and waited in one phase, on that party's own clock."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from pi_bench.protocol.span import Span

MAX_INTERVALS = 100_000
"""A phase with more of them keeps the first ones and counts the rest."""

_Ns = Annotated[int, Meta(ge=0, lt=1 << 62)]
_Count = Annotated[int, Meta(ge=0, le=1 << 53)]


class Activity(enum.StrEnum):
    """Lists the activities of a party.

    >>> [activity.value for activity in Activity]
    ['compute', 'send', 'wait']
    """

    COMPUTE = "compute"
    SEND = "send"
    WAIT = "wait"


class Interval(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Is a time in which a party did one thing for one operator and part.

    Attributes:
        start_ns, end_ns: in nanoseconds of the party's monotonic clock, which counts from any time.
        message_bytes: the payload of the message whose sending or receiving ended here; None without one.

    >>> Interval(3, "he", Activity.SEND, 1_000, 3_000, 64).end_ns
    3000
    """

    op_id: Annotated[int, Meta(ge=-1, le=1 << 32)]
    part: Annotated[str, Meta(max_length=128)]
    activity: Activity
    start_ns: _Ns
    end_ns: _Ns
    message_bytes: _Count | None = None


class PhaseTimeline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Holds the intervals of one party in one phase, in order of time.

    Attributes:
        lost_count: the intervals beyond `MAX_INTERVALS`, which are not kept.

    >>> PhaseTimeline(start_ns=0, end_ns=10, intervals=[]).lost_count
    0
    """

    start_ns: _Ns
    end_ns: _Ns
    intervals: Annotated[list[Interval], Meta(max_length=MAX_INTERVALS)]
    lost_count: _Count = 0


class IntervalLog:
    """Collects the intervals of one phase while it runs.

    >>> log, span = IntervalLog(), Span(3, "he")
    >>> log.add(span, Activity.SEND, 1.0, 1.25, message_bytes=64)
    >>> log.add(span, Activity.COMPUTE, 0.5, 1.0)
    >>> [interval.start_ns for interval in log.timeline(0.5, 1.5).intervals]
    [500000000, 1000000000]
    """

    def __init__(self) -> None:
        self._found: list[tuple[float, float, int, str, Activity, int | None]] = []
        self._lost_count = 0

    def add(
        self, span: Span, activity: Activity, start_s: float, end_s: float, message_bytes: int | None = None
    ) -> None:
        """Adds the time between two readings of `time.perf_counter`, in any order."""
        if len(self._found) < MAX_INTERVALS:
            self._found.append((start_s, end_s, span.op_id, span.part, activity, message_bytes))
        else:
            self._lost_count += 1

    def timeline(self, start_s: float, end_s: float) -> PhaseTimeline:
        """Returns the intervals of the phase between two readings of `time.perf_counter`.

        Neighbors with the same operator, part and activity become one interval, which has one message at
        most.
        """
        merged: list[Interval] = []
        for begun_s, ended_s, op_id, part, activity, message_bytes in sorted(
            self._found, key=lambda one: one[:2]
        ):
            own = (op_id, part, activity)
            start_ns, end_ns = _nanoseconds(begun_s), _nanoseconds(ended_s)
            if merged:
                last = merged[-1]
                same = own == (last.op_id, last.part, last.activity) and last.end_ns == start_ns
                if same and last.message_bytes is None:
                    start_ns = last.start_ns
                    merged.pop()
            if end_ns > start_ns or message_bytes is not None:
                merged.append(Interval(*own, start_ns, end_ns, message_bytes))
        return PhaseTimeline(
            start_ns=_nanoseconds(start_s),
            end_ns=_nanoseconds(end_s),
            intervals=merged,
            lost_count=self._lost_count,
        )


def _nanoseconds(seconds: float) -> int:
    return round(1e9 * seconds)
