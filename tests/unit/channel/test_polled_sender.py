"""A receiver that polls writes what an emulated link owes the peer, while the sender's thread rests."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pi_bench.channel.link import Pace
from pi_bench.channel.paced_sender import PacedSender
from pi_bench.channel.receiver import Receiver
from pi_bench.errors import ConnectionFailedError

Sockets = tuple[socket.socket, socket.socket]
POLL_S = 1e-3


class Asleep:
    """A pause of the sender's thread that ends with the test."""

    def __init__(self) -> None:
        self.began, self.end = threading.Event(), threading.Event()

    def __call__(self, seconds: float) -> None:
        del seconds
        self.began.set()
        self.end.wait(10)


@pytest.fixture
def asleep() -> Iterator[Asleep]:
    pause = Asleep()
    yield pause
    pause.end.set()


def received(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        parts += connection.recv(count - len(parts))
    return parts


def test_it_writes_what_is_due_and_nothing_before_that(sockets: Sockets, asleep: Asleep) -> None:
    pace = Pace(delay_s=5e-3, bits_per_s=1e9)
    sender = PacedSender(sockets[0], queue_bytes=1 << 20, timeout_s=5, pace=pace, sleep=asleep)
    receiver = Receiver(sockets[0], sender, timeout_s=5, poll_s=4.0)
    echo = threading.Thread(target=lambda: sockets[1].sendall(received(sockets[1], 3)))
    echo.start()
    started = time.perf_counter()
    sender.send([memoryview(b"abc")])
    assert asleep.began.wait(5)
    data = bytearray(3)
    assert receiver.receive_some([memoryview(data)]) == 3
    assert time.perf_counter() - started >= pace.delay_s
    assert data == b"abc" and sender.idle
    echo.join()
    sockets[0].shutdown(socket.SHUT_RDWR)
    asleep.end.set()
    sender.close()


def test_it_does_not_poll_for_a_piece_that_is_due_much_later(sockets: Sockets, asleep: Asleep) -> None:
    now = [0.0]
    sender = PacedSender(
        sockets[0], queue_bytes=1 << 20, timeout_s=5, pace=Pace(1.0, 8e9), clock=lambda: now[0], sleep=asleep
    )
    sender.send([memoryview(b"abc")])
    assert not sender.polls_from_now(POLL_S)
    now[0] = 1.0 - POLL_S / 2
    assert sender.polls_from_now(POLL_S)
    sender.write_due()
    assert not sender.idle
    now[0] = 1.1
    sender.write_due()
    assert sender.idle and received(sockets[1], 3) == b"abc"
    sender.polls_no_more()
    sockets[0].shutdown(socket.SHUT_RDWR)
    asleep.end.set()
    sender.close()


def test_bytes_keep_their_order_where_both_write_and_the_socket_is_full(sockets: Sockets) -> None:
    """The socket takes a few kilobytes at once, so a write ends within a piece."""
    sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sender = PacedSender(sockets[0], queue_bytes=1 << 24, timeout_s=5, pace=Pace(1e-4, 1e9))
    receiver = Receiver(sockets[0], sender, timeout_s=5, poll_s=POLL_S)
    messages = [os.urandom(size) for size in (1, 30_000, 17, 60_000, 3, 4_097) * 2]
    got: list[bytes] = []

    def read() -> None:
        for message in messages:
            got.append(received(sockets[1], len(message)))
            sockets[1].sendall(b"!")

    reader = threading.Thread(target=read)
    reader.start()
    answer = bytearray(1)
    for message in messages:
        sender.send([memoryview(message[: len(message) // 3]), memoryview(message[len(message) // 3 :])])
        receiver.read_exactly(memoryview(answer))
    sender.flush()
    reader.join()
    assert got == messages
    sockets[0].shutdown(socket.SHUT_RDWR)
    sender.close()


def test_a_peer_that_leaves_meanwhile_is_named(sockets: Sockets) -> None:
    sender = PacedSender(sockets[0], queue_bytes=1 << 20, timeout_s=5, pace=Pace(1e-4, 1e9))
    receiver = Receiver(sockets[0], sender, timeout_s=5, poll_s=POLL_S)
    sockets[1].close()
    with pytest.raises(ConnectionFailedError, match="closed the connection"):
        for _ in range(50):
            sender.send([memoryview(bytes(1 << 16))])
            receiver.receive_some([memoryview(bytearray(1))])
    sender.close()
