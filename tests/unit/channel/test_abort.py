"""The reason for which a party gives up reaches the other one, whatever crosses the wire meanwhile."""

from __future__ import annotations

import random
import socket
import threading
import time

import pytest

from pi_bench.channel import Channel, FrameHeader, FrameKind
from pi_bench.errors import PeerError

SIZE = 3_000_000


def header(number: int) -> FrameHeader:
    return FrameHeader(FrameKind.ONLINE, 1, 2, 3, number & 0xFFFF, 1, SIZE)


def pair() -> tuple[Channel, Channel]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
    return Channel(left, timeout_s=10), Channel(right, timeout_s=10)


def talk(channel: Channel, source: random.Random) -> None:
    """Sends and receives for ever, in an order that keeps both directions full."""
    data, buffer = memoryview(bytes(SIZE)), memoryview(bytearray(SIZE))
    sent = received = 0
    while True:
        if source.random() < 0.5 and sent < received + 8:
            channel.send(header(sent), [data])
            sent += 1
        elif received < sent:
            channel.receive_into(header(received), buffer)
            received += 1


@pytest.mark.parametrize("seed", range(40))
def test_the_reason_arrives_while_both_directions_are_full(seed: int) -> None:
    source = random.Random(seed)
    leaver, stayer = pair()
    outcome: list[BaseException] = []

    def stay() -> None:
        try:
            talk(stayer, random.Random(seed + 1000))
        except Exception as error:
            outcome.append(error)
        finally:
            stayer.close()

    thread = threading.Thread(target=stay)
    thread.start()
    data = memoryview(bytes(SIZE))
    for number in range(source.randrange(1, 9)):
        leaver.send(header(number), [data])
    buffer = memoryview(bytearray(SIZE))
    for number in range(source.randrange(3)):
        leaver.receive_into(header(number), buffer)
    time.sleep(source.random() * 0.01)
    started = time.monotonic()
    leaver.abort(1, "the disk is full")
    assert time.monotonic() - started < 5
    thread.join()
    assert isinstance(outcome[0], PeerError), outcome
    assert str(outcome[0]) == "the other party ended the session: the disk is full"


def test_a_peer_that_is_busy_for_long_hears_it_when_it_sends() -> None:
    """It computes past the time for which the other one lingers; then its own sending fails."""
    leaver, stayer = pair()
    try:
        leaver.abort(1, "the disk is full")  # nobody reads meanwhile
        with pytest.raises(PeerError, match="ended the session: the disk is full"):
            for number in range(50):
                stayer.send(header(number), [memoryview(bytes(SIZE))])
                time.sleep(0.01)
    finally:
        stayer.close()


def test_aborting_toward_a_peer_that_reads_nothing_ends() -> None:
    leaver, stayer = pair()
    leaver.send(header(0)._replace(payload_bytes=30_000_000), [memoryview(bytes(30_000_000))])
    started = time.monotonic()
    leaver.abort(1, "the disk is full")
    assert time.monotonic() - started < 5
    stayer.close()


@pytest.mark.parametrize("first", [b"HTTP/1.1 400 Bad", b"SSH-2.0-x\r\n", b"\x15\x03\x01\x00"])
def test_a_short_greeting_of_another_protocol_is_refused_at_once(first: bytes) -> None:
    """The peer stays connected and says no more: less than a frame's header has come."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours, timeout_s=10)
    theirs.sendall(first)
    started = time.monotonic()
    with pytest.raises(PeerError, match=r"speaks (HTTP|SSH|TLS), not pi-bench"):
        channel.receive_into(header(0), memoryview(bytearray(SIZE)))
    assert time.monotonic() - started < 2
    channel.close()
    theirs.close()
