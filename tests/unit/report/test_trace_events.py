"""Trace files are lawful for any two timelines, whatever the clocks show."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.errors import PeerError
from pi_bench.launch.timelines import InferenceTimelines
from pi_bench.metrics.timeline import Activity, Interval, PhaseTimeline
from pi_bench.protocol import Party
from pi_bench.report.trace_events import PHASES, messages, outside_layers, trace_document, unaccounted
from pi_bench.session.clock import ClockComparison, ClockReading
from tests.trace_law import require_lawful

_OTHER = {Party.CLIENT: Party.SERVER, Party.SERVER: Party.CLIENT}


@dataclass
class Run:
    """A run of two parties on true clocks that count from one hour. Everything takes two ticks or more."""

    now: dict[Party, int] = field(default_factory=lambda: dict.fromkeys(Party, 3_600 * 10**9))
    intervals: dict[Party, list[Interval]] = field(default_factory=lambda: {party: [] for party in Party})

    def does(
        self, party: Party, activity: Activity, until: int, step: tuple[int, str], size: int | None
    ) -> None:
        self.intervals[party].append(Interval(*step, activity, self.now[party], until, size))
        self.now[party] = until

    def takes(self, party: Party, took_ns: int, step: tuple[int, str], delay_ns: int | None) -> None:
        """Computes, or, with a delay, sends a message that the other party receives after it."""
        begun = self.now[party]
        sends = delay_ns is not None
        activity, size = (Activity.SEND, took_ns % 7) if sends else (Activity.COMPUTE, None)
        self.does(party, activity, begun + took_ns, step, size)
        if sends:
            other = _OTHER[party]
            self.does(other, Activity.WAIT, max(self.now[other] + 250, begun + delay_ns), step, size)

    def phase(self, ahead_ns: int) -> dict[Party, PhaseTimeline]:
        """Ends a phase. The server's clock is ahead."""
        found = {}
        for party, intervals in self.intervals.items():
            ahead = ahead_ns if party is Party.SERVER else 0
            moved = [
                msgspec.structs.replace(each, start_ns=each.start_ns + ahead, end_ns=each.end_ns + ahead)
                for each in intervals
            ]
            start = moved[0].start_ns if moved else self.now[party] + ahead
            found[party] = PhaseTimeline(start_ns=start, end_ns=self.now[party] + ahead, intervals=moved)
            self.intervals[party] = []
        return found


_STEPS = st.tuples(st.sampled_from([-1, 2, 5]), st.sampled_from(["", "ot"]))
_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(list(Party)),
        st.integers(250, 5_000),
        _STEPS,
        st.none() | st.integers(250, 9_000),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    phases=st.tuples(_ACTIONS, _ACTIONS),
    ahead_ns=st.integers(-(10**12), 10**12),
    uncertainty_ns=st.integers(1, 2_000),
    errors=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_the_file_is_lawful(phases, ahead_ns: int, uncertainty_ns: int, errors: tuple[float, float]) -> None:
    run, found = Run(), []
    begun = run.now[Party.SERVER] + ahead_ns
    for actions in phases:
        for action in actions:
            run.takes(*action)
        found.append(run.phase(ahead_ns))
        run.now = dict.fromkeys(Party, max(run.now.values()))
    ended = run.now[Party.SERVER] + ahead_ns
    readings = [
        ClockReading(at, ahead_ns + int(error * uncertainty_ns), uncertainty_ns)
        for at, error in zip((begun, ended), errors, strict=True)
    ]
    timelines = InferenceTimelines(
        clock=ClockComparison(*readings),
        client={phase: both[Party.CLIENT] for phase, both in zip(PHASES, found, strict=True)},
        server={phase: both[Party.SERVER] for phase, both in zip(PHASES, found, strict=True)},
    )
    document = trace_document(timelines, {2: "conv1", 5: "relu1"}, {})
    require_lawful(document)
    events = document["traceEvents"]
    sent = sum(delay is not None for actions in phases for *_, delay in actions)
    assert sum(event["ph"] == "s" for event in events) == sent
    for process, party in enumerate((Party.CLIENT, Party.SERVER), 1):
        done = [event for event in events if event["ph"] == "X" and event["pid"] == process]
        assert sum(event["cat"] in set(Activity) for event in done) == sum(
            len(both[party].intervals) for both in found
        )
        layers = {event["name"] for event in done if event["cat"] == "layer"}
        ops = {each.op_id for both in found for each in both[party].intervals} - {-1}
        assert layers == {{2: "conv1", 5: "relu1"}[op_id] for op_id in ops}


def test_messages_of_different_steps_are_refused() -> None:
    client = PhaseTimeline(start_ns=0, end_ns=9, intervals=[Interval(2, "", Activity.SEND, 0, 5, 64)])
    for received in (
        [],
        [Interval(3, "", Activity.WAIT, 0, 9, 64)],
        [Interval(2, "", Activity.WAIT, 0, 9, 8)],
    ):
        with pytest.raises(PeerError, match="do not have the same messages"):
            messages(client, PhaseTimeline(start_ns=0, end_ns=9, intervals=received))


def test_a_phase_whose_beginning_alone_is_kept_has_the_arrows_of_its_beginning() -> None:
    sent = [Interval(2, "", Activity.SEND, time, time + 1, 64) for time in (0, 1)]
    received = [Interval(2, "", Activity.WAIT, time, time + 2, 64) for time in (0, 2)]
    client = PhaseTimeline(start_ns=0, end_ns=9, intervals=sent[:1], lost_count=1)
    server = PhaseTimeline(start_ns=0, end_ns=9, intervals=received)
    assert messages(client, server) == [(Party.CLIENT, sent[0], received[0])]


def test_time_in_no_interval_and_time_in_no_layer_are_told_apart() -> None:
    intervals = [
        Interval(2, "", Activity.WAIT, 10, 40),
        Interval(-1, "", Activity.COMPUTE, 40, 60),
        Interval(-1, "ot", Activity.COMPUTE, 60, 90),
    ]
    timeline = PhaseTimeline(start_ns=0, end_ns=100, intervals=intervals)
    assert (unaccounted(timeline), outside_layers(timeline)) == (0.2, 0.2)
