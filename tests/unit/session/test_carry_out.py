"""A session that carries out a schedule natively records what it would record item by item."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from pi_bench.channel import Channel
from pi_bench.channel.schedule import Item, ReceiveItem, Schedule, SendItem, WorkItem
from pi_bench.errors import PeerError
from pi_bench.protocol import Party
from pi_bench.protocol.span import Span
from pi_bench.session import Phase, PhaseRecord, Session

from .conftest import Both, Sessions


def sends(step: int, size: int, part: str = "") -> SendItem:
    return SendItem(step, part, (memoryview(bytes(size)),))


def receives(step: int, size: int, part: str = "") -> ReceiveItem:
    return ReceiveItem(step, part, memoryview(bytearray(size)))


def works(step: int, seconds: float = 0.0) -> WorkItem:
    return WorkItem(step, "", lambda: time.sleep(seconds), (np.zeros(1000),))


# The server sends before it has the first message, so the client's guess of a depth is wrong once. The large
# messages do not fit the socket.
LARGE = 6 << 20
CLIENT = [sends(0, 5), receives(1, 7, "a"), sends(1, 3), sends(1, LARGE), receives(1, 2), receives(2, LARGE)]
SERVER = [
    works(0),
    sends(1, 7, "a"),
    receives(0, 5),
    receives(1, 3),
    receives(1, LARGE),
    works(1, 0.02),
    sends(1, 2),
    works(1),
    sends(2, LARGE),
]


@pytest.fixture(params=[0.0, 2e-3, 5.0], ids=["sleeps", "polls", "polls-long"])
def sessions(request: pytest.FixtureRequest) -> Iterator[Sessions]:
    client, server = (
        Session(Channel(end, timeout_s=5, poll_s=request.param), party, session_id=1, binding=bytes(32))
        for end, party in zip(socket.socketpair(), Party, strict=True)
    )
    for session in (client, server):
        session.channel.start_checksums(bytes(16))
    yield client, server
    for session in (client, server):
        session.close()


def carried(session: Session, schedule: Schedule) -> PhaseRecord:
    with session.phase(Phase.ONLINE, 1) as records:
        with session.step(schedule.items[0].step):
            pass
        session.carry_out(schedule)
        with session.step(9):
            session.flush()
    return records[0]


def counts(record: PhaseRecord) -> list[Span]:
    return [replace(span, compute_s=0.0, send_s=0.0, wait_s=0.0) for span in record.spans]


def test_records_are_those_of_the_items(sessions: Sessions, both: Both) -> None:
    client, server = sessions
    ours, theirs = Schedule(CLIENT), Schedule(SERVER)
    for _ in range(2):  # the second time with the headers of the first
        before = [client.channel.sent.wire_bytes, server.channel.sent.wire_bytes]
        at_client, at_server = both(lambda: carried(client, ours), lambda: carried(server, theirs))
        assert counts(at_client) == [
            Span(-1, ""),
            Span(0, "", sent_bytes=5, sent_count=1, depth_count=1),
            Span(1, "a", received_bytes=7, received_count=1),
            Span(1, "", 0, 0, 0, LARGE + 3, 2, 2, 1, 2),
            Span(2, "", received_bytes=LARGE, received_count=1),
            Span(9, ""),
        ]
        assert counts(at_server) == [
            Span(-1, ""),
            Span(0, "", received_bytes=5, received_count=1),
            Span(1, "a", sent_bytes=7, sent_count=1, depth_count=1),
            Span(1, "", 0, 0, 0, 2, LARGE + 3, 1, 2, 2),
            Span(2, "", sent_bytes=LARGE, sent_count=1),
            Span(9, ""),
        ]
        assert at_client.depth == at_server.depth == 3
        for record in (at_client, at_server):
            booked = sum(span.compute_s + span.send_s + span.wait_s for span in record.spans)
            assert booked == pytest.approx(record.wall_s, rel=0.02, abs=1e-3)
        assert sum(span.compute_s for span in at_server.spans if span.op_id == 1) >= 0.02
        assert client.channel.digests() == server.channel.digests()[::-1]
        after = [client.channel.sent.wire_bytes, server.channel.sent.wire_bytes]
        assert [a - b for a, b in zip(after, before, strict=True)] == [
            sum(span.sent_wire_bytes for span in record.spans) for record in (at_client, at_server)
        ]


def test_other_messages_may_come_before_and_after(sessions: Sessions, both: Both) -> None:
    client, server = sessions

    def run(session: Session, items: list[Item], sends_first: bool) -> PhaseRecord:
        with session.phase(Phase.ONLINE, 1) as records, session.step(1):
            session.send(b"one") if sends_first else session.receive(3)
            session.carry_out(Schedule(items))
            session.receive(4) if sends_first else session.send(b"last")
        return records[0]

    at_client, at_server = both(
        lambda: run(client, [sends(1, 2), receives(1, 3), receives(1, 5)], True),
        lambda: run(server, [receives(1, 2), sends(1, 3), sends(1, 5)], False),
    )
    assert [at_client.depth, at_server.depth] == [2, 2]
    (span,) = [span for span in at_client.spans if span.op_id == 1]
    assert (span.sent_count, span.sent_bytes, span.received_count, span.received_bytes) == (2, 5, 3, 12)


@pytest.mark.parametrize("poll_s", [0.0, 0.03, 5.0])
def test_waiting_counts_for_the_step_that_waits(poll_s: float, both: Both) -> None:
    client, server = (
        Session(Channel(end, timeout_s=5, poll_s=poll_s), party, session_id=1, binding=bytes(32))
        for end, party in zip(socket.socketpair(), Party, strict=True)
    )
    record, _ = both(
        lambda: carried(client, Schedule([receives(3, 4)])),
        lambda: carried(server, Schedule([works(3, 0.1), sends(3, 4)])),
    )
    (span,) = [span for span in record.spans if span.op_id == 3]
    assert span.wait_s >= 0.09
    client.close()
    server.close()


def test_a_message_of_another_step_is_refused(sessions: Sessions, both: Both) -> None:
    client, server = sessions
    _, error = both(
        lambda: carried(client, Schedule([sends(1, 4)])), lambda: carried(server, Schedule([receives(2, 4)]))
    )
    assert isinstance(error, PeerError)
    assert "step 1 came where step 2 was due" in str(error)


def test_messages_are_logged(sessions: Sessions, both: Both, caplog: pytest.LogCaptureFixture) -> None:
    for session in sessions:
        session._logs_messages = True
    with caplog.at_level(logging.DEBUG, "pi_bench.session.session"):
        both(
            lambda: carried(sessions[0], Schedule([sends(1, 4)])),
            lambda: carried(sessions[1], Schedule([receives(1, 4)])),
        )
    assert {"step 1 : sent 4 bytes", "step 1 : received 4 bytes"} <= set(caplog.messages)


def test_buffers_of_several_dimensions(sessions: Sessions, both: Both) -> None:
    """The number of their rows is not their size; the large one does not fit the socket."""
    client, server = sessions
    sent = [np.frombuffer(os.urandom(size), np.uint8).reshape(-1, 4) for size in (8, LARGE)]
    received = [np.zeros_like(array) for array in sent]
    ours = Schedule([SendItem(1, "", (memoryview(array),)) for array in sent])
    theirs = Schedule([ReceiveItem(1, "", memoryview(array)) for array in received])
    at_client, at_server = both(lambda: carried(client, ours), lambda: carried(server, theirs))
    assert all(map(np.array_equal, sent, received))
    assert sum(span.sent_bytes for span in at_client.spans) == 8 + LARGE
    assert sum(span.received_bytes for span in at_server.spans) == 8 + LARGE


def test_a_schedule_outside_of_a_phase_counts_for_none(sessions: Sessions, both: Both) -> None:
    client, server = sessions
    ours, theirs = Schedule([sends(1, 5)]), Schedule([receives(1, 5)])
    both(lambda: client.carry_out(ours), lambda: server.carry_out(theirs))
    at_client, at_server = both(lambda: carried(client, ours), lambda: carried(server, theirs))
    assert sum(span.sent_bytes for span in at_client.spans) == 5
    assert sum(span.received_bytes for span in at_server.spans) == 5
    assert at_client.depth == at_server.depth == 1
    assert client.channel.sent.wire_bytes == server.channel.received.wire_bytes == 2 * (5 + 36)
