"""The timelines of a session, and their way to the client."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pi_bench.channel.schedule import ReceiveItem, Schedule, SendItem, WorkItem
from pi_bench.errors import PeerError
from pi_bench.metrics.timeline import Activity, Interval, PhaseTimeline
from pi_bench.network.program import Program
from pi_bench.session import Phase, Session
from pi_bench.session import timeline_messages as wire
from pi_bench.testing import small_network

from .conftest import Both, Sessions


@pytest.fixture(scope="module")
def program() -> Program:
    return small_network()[0]


def run(session: Session, sends_first: bool, *, schedule: bool) -> tuple[PhaseTimeline, Any]:
    """Sends four bytes and receives four, in turns, in two steps."""
    session.timelines = {}
    sent, received = memoryview(b"four"), memoryview(bytearray(4))
    turns = [SendItem(2, "", (sent,)), ReceiveItem(2, "", received)]
    items = [WorkItem(1, "", lambda: sum(range(20_000))), *(turns if sends_first else turns[::-1])]
    with session.phase(Phase.ONLINE, 1) as records:
        if schedule:
            session.carry_out(Schedule(items))
        else:
            with session.step(1):
                sum(range(20_000))
            with session.step(2):
                for item in items[1:]:
                    if isinstance(item, SendItem):
                        session.send(*item.buffers)
                    else:
                        session.receive_into(received)
        session.flush()
    return session.timelines[Phase.ONLINE], records[0]


@pytest.mark.parametrize("schedule", [False, True], ids=["messages", "schedule"])
def test_the_intervals_are_the_spans(sessions: Sessions, both: Both, schedule: bool) -> None:
    """They follow one another without a gap, and add up to the times of the spans."""
    for session in sessions:
        session.channel._receiver._poll_s = 1.0  # schedules are carried out natively
    results = both(
        lambda: run(sessions[0], True, schedule=schedule), lambda: run(sessions[1], False, schedule=schedule)
    )
    for timeline, record in results:
        intervals = timeline.intervals
        assert intervals[0].start_ns == timeline.start_ns
        assert all(one.end_ns == next_.start_ns for one, next_ in itertools.pairwise(intervals))
        assert 0 <= timeline.end_ns - intervals[-1].end_ns < 10**7
        for span in record.spans:
            for activity in Activity:
                total_ns = sum(
                    each.end_ns - each.start_ns
                    for each in intervals
                    if (each.op_id, each.part, each.activity) == (span.op_id, span.part, activity)
                )
                assert total_ns == pytest.approx(1e9 * getattr(span, f"{activity}_s"), abs=100)
    messages = [
        [(each.op_id, each.activity, each.message_bytes) for each in timeline.intervals if each.message_bytes]
        for timeline, _ in results
    ]
    assert messages[0] == [(2, Activity.SEND, 4), (2, Activity.WAIT, 4)] == messages[1][::-1]


def test_a_session_keeps_no_timeline_unasked(sessions: Sessions) -> None:
    with sessions[0].phase(Phase.OFFLINE, 1):
        pass
    assert sessions[0].timelines is None


def timelines() -> dict[Phase, PhaseTimeline]:
    intervals = [Interval(-1, "", Activity.COMPUTE, 5, 7), Interval(2, "ot", Activity.SEND, 7, 9, 64)]
    return {phase: PhaseTimeline(start_ns=5, end_ns=9, intervals=intervals) for phase in wire.PHASES}


def test_timelines_arrive_as_they_are(sessions: Sessions, both: Both, program: Program) -> None:
    client, server = sessions
    found, error = both(
        lambda: wire.receive_timelines(client, program), lambda: wire.send_timelines(server, timelines())
    )
    assert error is None and found == timelines()


def other_operator(values: dict[str, Any]) -> None:
    values["intervals"][1][0] = 99


def escape(values: dict[str, Any]) -> None:
    values["intervals"][1][1] = "\x1b[2J"


def backwards(values: dict[str, Any]) -> None:
    values["intervals"][1][3] = 6


def beyond_the_phase(values: dict[str, Any]) -> None:
    values["end_ns"] = 8


def negative(values: dict[str, Any]) -> None:
    values["start_ns"] = -1


@pytest.mark.parametrize("change", [other_operator, escape, backwards, beyond_the_phase, negative])
def test_a_timeline_that_does_not_fit_is_refused(
    sessions: Sessions, both: Both, program: Program, change: Callable[[dict[str, Any]], None]
) -> None:
    client, server = sessions
    values = [msgspec.to_builtins(timeline) for timeline in timelines().values()]
    change(values[0])
    error, _ = both(
        lambda: wire.receive_timelines(client, program),
        lambda: [wire.send_document(server, each) for each in values],
    )
    assert isinstance(error, PeerError) and "the server's" in str(error)
