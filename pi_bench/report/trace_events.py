"""Writes the timelines of one inference as events that Perfetto and chrome://tracing open.

Each party is a process with one lane. A lane has the phases, in a phase its layers, in a layer its parts, and
innermost what the party did: compute, send or wait. What it did for no layer stands in the phase itself. An
arrow leads from each send to the receive of the same message. All times are those of the client's clock, in
microseconds since the trace began.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pi_bench.errors import PeerError
from pi_bench.launch.timelines import InferenceTimelines
from pi_bench.metrics.timeline import Activity, Interval, PhaseTimeline
from pi_bench.protocol import Party
from pi_bench.protocol.script import NO_OP
from pi_bench.report.quantities import seconds
from pi_bench.session import Phase

PHASES = (Phase.OFFLINE, Phase.ONLINE)
TICK_NS = 125
"""Times are whole multiples of it: an eighth of a microsecond, which no reader of the file has to round."""

Event = dict[str, Any]
_PROCESSES = {Party.CLIENT: 1, Party.SERVER: 2}
_LANE = 1


def trace_document(
    timelines: InferenceTimelines, names: Mapping[int, str], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the JSON object of a trace file.

    Args:
        names: the name of each operator, by its id.
        facts: further facts for the file, as JSON values.

    Raises:
        PeerError: the server's timelines do not have the messages of the client's.

    >>> from pi_bench.session.clock import ClockComparison, ClockReading
    >>> reading, phase = ClockReading(0, 0, 20_000), PhaseTimeline(start_ns=0, end_ns=2_000, intervals=[])
    >>> own = dict.fromkeys(PHASES, phase)
    >>> document = trace_document(
    ...     InferenceTimelines(clock=ClockComparison(reading, reading), client=own, server=own), {}, {}
    ... )
    >>> [event["name"] for event in document["traceEvents"] if event["ph"] == "X"]
    ['offline phase', 'online phase', 'offline phase', 'online phase']
    >>> document["otherData"]["clock_uncertainty_us"]
    20.0
    """
    clock = timelines.clock
    found = {
        (party, phase): timelines.on_client_clock(party, phase) for party in _PROCESSES for phase in PHASES
    }
    origin_ns = min(timeline.start_ns for timeline in found.values())

    def microseconds(time_ns: int) -> float:
        return (time_ns - origin_ns) // TICK_NS * TICK_NS / 1000

    uncertainty_us = clock.uncertainty_ns / 1000
    events = list(_names(f"server, its clock within {seconds(clock.uncertainty_ns / 1e9)} of the client's"))
    for (party, phase), timeline in found.items():
        events += _Lane(party, names, microseconds).events(phase, timeline)
    sent = [pair for phase in PHASES for pair in messages(*(found[party, phase] for party in _PROCESSES))]
    events += _arrows(sent, microseconds)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            **facts,
            "clock": "the client's monotonic clock; 0 is the beginning of the trace",
            "clock_offset_us": clock.offset_ns / 1000,
            "clock_drift_us": clock.drift_ns / 1000,
            "clock_uncertainty_us": uncertainty_us,
        },
    }


def unaccounted(timeline: PhaseTimeline) -> float:
    """Returns the part of a phase in which nothing says what the party did.

    >>> intervals = [Interval(3, "", Activity.COMPUTE, 0, 60), Interval(NO_OP, "", Activity.WAIT, 60, 90)]
    >>> unaccounted(PhaseTimeline(start_ns=0, end_ns=100, intervals=intervals))
    0.1
    """
    whole_ns = timeline.end_ns - timeline.start_ns
    return (whole_ns - _total_ns(timeline.intervals)) / whole_ns if whole_ns else 0.0


def outside_layers(timeline: PhaseTimeline) -> float:
    """Returns the part of a phase in which a party did something for no layer and no named part.

    >>> intervals = [Interval(3, "", Activity.COMPUTE, 0, 60), Interval(NO_OP, "", Activity.WAIT, 60, 90)]
    >>> outside_layers(PhaseTimeline(start_ns=0, end_ns=100, intervals=intervals))
    0.3
    """
    whole_ns = timeline.end_ns - timeline.start_ns
    outside = (each for each in timeline.intervals if each.op_id == NO_OP and not each.part)
    return _total_ns(outside) / whole_ns if whole_ns else 0.0


def _total_ns(intervals: Iterable[Interval]) -> int:
    return sum(interval.end_ns - interval.start_ns for interval in intervals)


def messages(client: PhaseTimeline, server: PhaseTimeline) -> list[tuple[Party, Interval, Interval]]:
    """Returns each message of one phase: its sender, the interval of its sending and that of its receiving.

    Messages of one direction arrive in the order in which they were sent.

    Raises:
        PeerError: a message that one party has sent is not the one that the other party has received.

    >>> sent, received = Interval(3, "", Activity.SEND, 0, 5, 64), Interval(3, "", Activity.WAIT, 4, 9, 64)
    >>> client, server = (
    ...     PhaseTimeline(start_ns=0, end_ns=9, intervals=[interval]) for interval in (sent, received)
    ... )
    >>> messages(client, server) == [(Party.CLIENT, sent, received)]
    True
    """
    found = []
    for sender, there, here in ((Party.CLIENT, client, server), (Party.SERVER, server, client)):
        sent, received = _with_message(there, Activity.SEND), _with_message(here, Activity.WAIT)
        whole = not there.lost_count and not here.lost_count
        for one, other in zip(sent, received, strict=False):
            if (one.op_id, one.message_bytes) != (other.op_id, other.message_bytes):
                raise PeerError("the timelines of both parties do not have the same messages")
            found.append((sender, one, other))
        if whole and len(sent) != len(received):
            raise PeerError("the timelines of both parties do not have the same messages")
    return found


def _with_message(timeline: PhaseTimeline, activity: Activity) -> list[Interval]:
    return [
        each for each in timeline.intervals if each.activity is activity and each.message_bytes is not None
    ]


def _names(server: str) -> Iterator[Event]:
    for (party, process), name in zip(_PROCESSES.items(), ("client", server), strict=True):
        own = {"ph": "M", "pid": process, "tid": _LANE}
        yield {**own, "name": "process_name", "args": {"name": name}}
        yield {**own, "name": "process_sort_index", "args": {"sort_index": process}}
        yield {**own, "name": "thread_name", "args": {"name": f"steps of the {party}"}}


class _Lane:
    """Writes the events of one party. An outer event stands before those within it."""

    def __init__(self, party: Party, names: Mapping[int, str], microseconds: Callable[[int], float]) -> None:
        self._process, self._names, self._microseconds = _PROCESSES[party], names, microseconds

    def events(self, phase: Phase, timeline: PhaseTimeline) -> Iterator[Event]:
        whole = timeline.start_ns, timeline.end_ns
        args = {
            "unaccounted_percent": round(100 * unaccounted(timeline), 3),
            "outside_layers_percent": round(100 * outside_layers(timeline), 3),
        }
        if timeline.lost_count:
            args["intervals_not_kept"] = timeline.lost_count
        yield self._event(f"{phase} phase", "phase", *whole, args)
        for op_id, of_layer in itertools.groupby(timeline.intervals, key=lambda each: each.op_id):
            layer = list(of_layer)
            if op_id != NO_OP:
                name = self._names.get(op_id, f"operator {op_id}")
                yield self._around(name, "layer", layer, {"operator_id": op_id})
            for part, of_part in itertools.groupby(layer, key=lambda each: each.part):
                yield from self._part(part, list(of_part))

    def _part(self, part: str, intervals: list[Interval]) -> Iterator[Event]:
        if part:
            yield self._around(part, "part", intervals, {})
        for each in intervals:
            size = {} if each.message_bytes is None else {"message_bytes": each.message_bytes}
            yield self._event(each.activity.value, each.activity.value, each.start_ns, each.end_ns, size)

    def _around(self, name: str, category: str, intervals: list[Interval], args: Event) -> Event:
        return self._event(name, category, intervals[0].start_ns, intervals[-1].end_ns, args)

    def _event(self, name: str, category: str, start_ns: int, end_ns: int, args: Mapping[str, Any]) -> Event:
        start = self._microseconds(start_ns)
        return {
            "ph": "X",
            "pid": self._process,
            "tid": _LANE,
            "name": name,
            "cat": category,
            "ts": start,
            "dur": self._microseconds(end_ns) - start,
            "args": dict(args),
        }


def _arrows(
    found: Iterable[tuple[Party, Interval, Interval]], microseconds: Callable[[int], float]
) -> Iterable[Event]:
    """Yields both ends of each arrow: just after the sending begins, and just before the receiving ends.

    A viewer takes an end for that of the event that is open at this time. Where one event ends and another
    begins, Perfetto takes the second one, and chrome://tracing the first one. Perfetto drops arrows whose id
    is not a number.
    """
    tick_us = TICK_NS / 1000
    for number, (sender, sent, received) in enumerate(found, 1):
        receiver = Party.SERVER if sender is Party.CLIENT else Party.CLIENT
        own = {"tid": _LANE, "name": "message", "cat": "message", "id": number}
        begins, ends = microseconds(sent.start_ns), microseconds(sent.end_ns)
        first = min(begins + tick_us, max(begins, ends - tick_us))
        last = max(microseconds(received.start_ns), microseconds(received.end_ns) - tick_us)
        yield {**own, "ph": "s", "pid": _PROCESSES[sender], "ts": first}
        yield {**own, "ph": "f", "bp": "e", "pid": _PROCESSES[receiver], "ts": last}
