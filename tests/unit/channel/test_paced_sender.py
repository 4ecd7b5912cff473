"""Sending over an emulated link, on a clock that only sleeping moves: no test here waits for time."""

import os
import socket
import threading
from collections.abc import Callable

import pytest

from pi_bench.channel import Channel, FrameHeader, FrameKind
from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.channel.link import Pace
from pi_bench.channel.paced_sender import PacedSender
from pi_bench.errors import ConnectionFailedError

Sockets = tuple[socket.socket, socket.socket]


class Clock:
    """Its time is the sum of the pauses."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds + 1e-9  # sleeping never ends early


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(sockets: Sockets, clock: Clock) -> Callable[[Pace], PacedSender]:
    def sender(pace: Pace, queue_bytes: int = 64 << 20) -> PacedSender:
        return PacedSender(
            sockets[0], queue_bytes=queue_bytes, timeout_s=5, pace=pace, clock=clock, sleep=clock.sleep
        )

    return sender


def received(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        parts += connection.recv(count - len(parts))
    return parts


def test_a_message_arrives_after_its_transfer_and_the_delay(
    make: Callable[..., PacedSender], clock: Clock, sockets: Sockets
) -> None:
    sender = make(Pace(delay_s=0.5, bits_per_s=8e6))
    data = os.urandom(200_000)
    reader = threading.Thread(target=lambda: received(sockets[1], len(data)))
    reader.start()
    sender.send([memoryview(data)])
    sender.flush()
    reader.join()
    assert clock.now == pytest.approx(100.0 + 0.2 + 0.5, abs=1e-4)
    sender.send([memoryview(b"x" * 1000)])
    sender.flush()
    assert clock.now == pytest.approx(100.7 + 0.001 + 0.5, abs=1e-4)
    sockets[0].shutdown(socket.SHUT_RDWR)
    sender.close()


def test_bytes_keep_their_order(make: Callable[..., PacedSender], sockets: Sockets) -> None:
    sender = make(Pace(delay_s=0.01, bits_per_s=1e8))
    messages = [os.urandom(size) for size in (36, 100_000, 1, 16 << 10, 36, 70_001)]
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(received(sockets[1], sum(map(len, messages)))))
    reader.start()
    for message in messages:
        sender.send([memoryview(message[:20]), memoryview(message[20:])])
    sender.flush()
    reader.join()
    assert got == [b"".join(messages)]
    sockets[0].shutdown(socket.SHUT_RDWR)
    sender.close()


def test_nothing_leaves_early(sockets: Sockets) -> None:
    """While the clock stands still, nothing has crossed the link."""
    pace, now = Pace(delay_s=1.0, bits_per_s=8e6), [0.0]
    asleep, woken = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        asleep.set()
        woken.wait(5)

    sender = PacedSender(
        sockets[0], queue_bytes=1 << 20, timeout_s=5, pace=pace, clock=lambda: now[0], sleep=sleep
    )
    sender.send([memoryview(b"abc")])
    assert asleep.wait(5)
    sockets[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        sockets[1].recv(3)
    assert not sender.idle
    now[0] = 1.1
    woken.set()
    sender.flush()
    sockets[1].setblocking(True)
    assert received(sockets[1], 3) == b"abc"
    assert sender.idle
    sockets[0].shutdown(socket.SHUT_RDWR)
    sender.close()


def test_what_is_in_flight_is_dropped_when_it_closes(sockets: Sockets) -> None:
    sender = PacedSender(sockets[0], queue_bytes=1 << 20, timeout_s=5, pace=Pace(1.5, 1e6))
    sender.send([memoryview(bytes(10))])
    sockets[0].shutdown(socket.SHUT_RDWR)
    sender.close()
    with pytest.raises(ConnectionFailedError, match="closed here"):
        sender.send([memoryview(b"x")])


def test_a_peer_that_is_gone_is_named(make: Callable[..., PacedSender], sockets: Sockets) -> None:
    sender = make(Pace(delay_s=0.01, bits_per_s=1e9))
    sockets[1].close()
    piece = memoryview(bytes(1 << 20))
    with pytest.raises(ConnectionFailedError, match="closed the connection"):
        for _ in range(50):
            sender.send([piece])
            sender.flush()
    sender.close()


def test_frames_cross_a_paced_channel(sockets: Sockets) -> None:
    pace = Pace(delay_s=0.001, bits_per_s=1e9)
    left, right = Channel(sockets[0], timeout_s=5, pace=pace), Channel(sockets[1], timeout_s=5)
    data = os.urandom(50_000)
    header = FrameHeader(FrameKind.ONLINE, 1, 2, 3, 4, 1, len(data))
    left.send(header, [memoryview(data)])
    got = bytearray(len(data))
    right.receive_into(header, memoryview(got))
    assert got == data
    assert right.received.wire_bytes == HEADER_BYTES + len(data)
    left.close()
    right.close()
