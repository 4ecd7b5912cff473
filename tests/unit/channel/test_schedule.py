"""A schedule that native code carries out sends, receives and sums as the other methods of a channel do."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from pi_bench.channel import Channel, FrameHeader, FrameKind
from pi_bench.channel.frame import PhaseHeaders, own_part
from pi_bench.channel.schedule import ReceiveItem, Schedule, SendItem, Stop, WorkItem
from pi_bench.errors import ConnectionFailedError, PeerGaveUpError

Sockets = tuple[socket.socket, socket.socket]
HEADERS = PhaseHeaders(FrameKind.ONLINE, 1, 2)
LARGE = 8 << 20  # more than the socket takes at once


def header(step: int, payload_bytes: int) -> FrameHeader:
    return FrameHeader(FrameKind.ONLINE, 1, 2, step, 0, 1, payload_bytes)


def own(*messages: tuple[int, int] | None) -> bytes:
    """The own parts of the headers of messages, given by step and size; None for work."""
    return b"".join(bytes(16) if m is None else own_part(m[0], 0, 1, m[1]) for m in messages)


def in_thread(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def polling(sockets: Sockets, poll_s: float = 5.0) -> tuple[Channel, Channel]:
    """The channel under test, and one that uses the other methods."""
    pair = Channel(sockets[0], timeout_s=5, poll_s=poll_s), Channel(sockets[1], timeout_s=5)
    for channel in pair:
        channel.start_checksums(bytes(16))
    return pair


def test_messages_and_work_in_order(sockets: Sockets) -> None:
    ours, theirs = polling(sockets)
    received, done = bytearray(5), []
    schedule = Schedule(
        [
            SendItem(1, "", (memoryview(b"f"), memoryview(b"our"))),
            ReceiveItem(2, "", memoryview(received)),
            WorkItem(2, "", lambda: done.append(bytes(received)), (np.zeros(100_000),)),
            SendItem(3, "", ()),
        ]
    )

    def answer() -> None:
        first = bytearray(4)
        theirs.receive_into(header(1, 4), memoryview(first))
        assert first == b"four"
        time.sleep(0.02)
        theirs.send(header(2, 5), [memoryview(b"abcde")])
        theirs.receive_into(header(3, 0), memoryview(bytearray()))

    thread = in_thread(answer)
    stop = ours.carry_out(schedule, 0, HEADERS.shared, own((1, 4), (2, 5), None, (3, 0)))
    thread.join()
    assert (stop.item, stop.begun) == (4, False)
    assert done == [b"abcde"]
    assert ours.digests() == theirs.digests()[::-1]
    sent, awaited, worked, last = schedule.ends_ns.tolist()
    assert 0 < sent < awaited <= worked <= last
    assert awaited - sent > 10_000_000
    ours.close()
    theirs.close()


def test_a_message_that_the_socket_does_not_take_at_once_is_completed(sockets: Sockets) -> None:
    ours, theirs = polling(sockets)
    data = os.urandom(LARGE)
    schedule = Schedule([SendItem(1, "", (memoryview(data[:100]), memoryview(data[100:])))])
    headers = own((1, LARGE))
    stop = ours.carry_out(schedule, 0, HEADERS.shared, headers)
    assert stop.item == 0 and stop.begun and 0 < stop.sent[0] < 3
    assert ours.can_carry_out
    ours.send_encoded(HEADERS.shared + headers, schedule.items[0].buffers, LARGE, stop.sent)
    assert not ours.can_carry_out  # the rest is in the queue
    payload = bytearray(LARGE)
    theirs.receive_into(header(1, LARGE), memoryview(payload))
    ours.flush()
    assert payload == data
    assert ours.digests()[0] == theirs.digests()[1]
    ours.close()
    theirs.close()


@pytest.mark.parametrize("first_bytes", [0, 10, 36, 40])
def test_a_message_that_comes_late_is_completed(sockets: Sockets, first_bytes: int) -> None:
    ours, theirs = polling(sockets, poll_s=0.01)
    whole = header(1, 8).encode() + b"8 bytes."
    received = bytearray(8)
    schedule = Schedule([ReceiveItem(1, "", memoryview(received)), WorkItem(1, "", lambda: None)])
    sockets[1].sendall(whole[:first_bytes])
    time.sleep(0.05)  # loopback may need a moment
    headers = own((1, 8), None)
    stop = ours.carry_out(schedule, 0, HEADERS.shared, headers)
    assert stop == Stop(0, True, (0, 0), (first_bytes, first_bytes >= 36))
    sockets[1].sendall(whole[first_bytes:])
    ours.receive_encoded(HEADERS.shared + headers[:16], memoryview(received), None, stop.arrived)
    assert received == b"8 bytes."
    assert ours.carry_out(schedule, 1, HEADERS.shared, headers).item == 2
    theirs.send(header(1, 8), [memoryview(b"8 bytes.")])  # for the checksum of the same bytes
    assert ours.digests()[1] == theirs.digests()[0]
    ours.close()
    theirs.close()


@pytest.mark.parametrize("dripped_at", [1, 37], ids=["header", "payload"])
def test_a_peer_that_drips_bytes_does_not_hold_the_loop(sockets: Sockets, dripped_at: int) -> None:
    """Signals are seen between two calls, and the bytes come faster than the polling ends."""
    ours, theirs = polling(sockets)
    data = bytes(4000)
    whole = header(1, len(data)).encode() + data
    received = bytearray(len(data))
    schedule = Schedule([ReceiveItem(1, "", memoryview(received))])
    sockets[1].sendall(whole[:dripped_at])

    def drip() -> None:
        until, at = time.monotonic() + 0.3, dripped_at
        pause_s = 0.01 if dripped_at < 36 else 0.0001
        while time.monotonic() < until and at < len(whole) - 1:
            sockets[1].sendall(whole[at : at + 1])
            at += 1
            time.sleep(pause_s)
        sockets[1].sendall(whole[at:])

    thread = in_thread(drip)
    headers = own((1, len(data)))
    stop = ours.carry_out(schedule, 0, HEADERS.shared, headers)
    assert stop.item == 0 and stop.begun
    assert dripped_at <= stop.arrived[0] < len(whole)
    assert stop.arrived[1] == (dripped_at >= 36)
    ours.receive_encoded(HEADERS.shared + headers, schedule.items[0].buffer, None, stop.arrived)
    thread.join()
    assert received == data
    # The checksum is that of the same frame in one piece.
    theirs.send(header(1, len(data)), [memoryview(data)])
    assert ours.digests()[1] == theirs.digests()[0]
    ours.close()
    theirs.close()


def test_it_returns_after_a_while_so_that_signals_are_seen(sockets: Sockets) -> None:
    ours, theirs = polling(sockets)
    schedule = Schedule([WorkItem(1, "", lambda: time.sleep(0.06))] * 3)
    assert [
        ours.carry_out(schedule, first, b"", bytes(108))[:2] for first in range(3)
    ] == [(1, False), (2, False), (3, False)]  # fmt: skip
    ours.close()
    theirs.close()


def test_an_error_of_the_work_is_raised(sockets: Sockets) -> None:
    ours, theirs = polling(sockets)
    schedule = Schedule([WorkItem(1, "", lambda: [][0])])
    with pytest.raises(IndexError):
        ours.carry_out(schedule, 0, HEADERS.shared, own(None))
    ours.close()
    theirs.close()


def test_the_reason_of_a_peer_that_gives_up_is_heard(sockets: Sockets) -> None:
    ours, theirs = polling(sockets)
    schedule = Schedule([ReceiveItem(1, "", memoryview(bytearray(8)))])
    theirs.abort(1, "the disk is full")
    stop = ours.carry_out(schedule, 0, HEADERS.shared, own((1, 8)))
    with pytest.raises(PeerGaveUpError, match="the disk is full"):
        ours.receive_encoded(header(1, 8).encode(), schedule.items[0].buffer, None, stop.arrived)
    ours.close()


def test_a_lost_connection_is_named(sockets: Sockets) -> None:
    ours, theirs = polling(sockets)
    theirs.close()
    schedule = Schedule([SendItem(1, "", (memoryview(bytes(1000)),))] * 3)
    with pytest.raises(ConnectionFailedError, match="the other party closed the connection"):
        ours.carry_out(schedule, 0, HEADERS.shared, own(*[(1, 1000)] * 3))
        ours.carry_out(schedule, 0, HEADERS.shared, own(*[(1, 1000)] * 3))
    ours.close()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"own": bytes(17)}, "a part for each of 2 items"),
        ({"header": bytearray(35)}, "header: need 36 items, got 35"),
        ({"first": 3}, "a part for each of 2 items"),
    ],
)
def test_sizes_are_checked(change: dict[str, object], error: str) -> None:
    schedule = Schedule([WorkItem(1, "", lambda: None)] * 2)
    arguments = {"first": 0, "own": bytes(32), "header": bytearray(36), **change}
    with pytest.raises(ValueError, match=error):
        schedule.run(socket=-1, poll_s=0.1, shared=bytes(20), checksums=None, **arguments)
