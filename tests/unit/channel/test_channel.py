import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from pi_bench.channel import Channel, FrameHeader, FrameKind
from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.errors import ConnectionFailedError, PeerError

Pair = tuple[Channel, Channel]
Sockets = tuple[socket.socket, socket.socket]


def header(payload_bytes: int, kind: FrameKind = FrameKind.ONLINE) -> FrameHeader:
    return FrameHeader(kind, 1, 2, 3, 4, 1, payload_bytes)


def test_gathers_buffers_into_one_payload(channels: Pair) -> None:
    left, right = channels
    parts = [os.urandom(5), os.urandom(70_000), os.urandom(1)]
    left.send(header(70_006), [memoryview(part) for part in parts])
    received = bytearray(70_006)
    right.receive_into(header(70_006), memoryview(received))
    assert received == b"".join(parts)
    assert left.sent == right.received
    assert left.sent.payload_bytes == 70_006
    assert left.sent.wire_bytes == 70_006 + HEADER_BYTES
    assert left.sent.message_count == 1


def test_many_buffers_and_more_than_the_socket_holds(channels: Pair) -> None:
    left, right = channels
    parts = [os.urandom(8_000) for _ in range(3_000)]
    total = sum(map(len, parts))
    left.send(header(total), [memoryview(part) for part in parts])  # returns with nobody reading
    left.send(header(0), [])
    received = bytearray(total)
    right.receive_into(header(total), memoryview(received))
    right.receive_into(header(0), memoryview(bytearray()))
    left.flush()
    assert received == b"".join(parts)


def test_both_directions_at_once(channels: Pair) -> None:
    size = 20_000_000
    data = os.urandom(size)
    results: dict[str, bytes] = {}

    def run(name: str, channel: Channel) -> None:
        channel.send(header(size), [memoryview(data)])
        buffer = bytearray(size)
        channel.receive_into(header(size), memoryview(buffer))
        results[name] = bytes(buffer)

    thread = threading.Thread(target=run, args=("left", channels[0]))
    thread.start()
    run("right", channels[1])
    thread.join()
    assert results == {"left": data, "right": data}


def test_queue_is_bounded_in_bytes(sockets: Sockets) -> None:
    left = Channel(sockets[0], timeout_s=0.3, queue_bytes=1 << 20)
    piece = memoryview(bytes(1 << 20))
    started = time.monotonic()
    with pytest.raises(ConnectionFailedError, match=r"took no data for 0\.3 s"):
        for _ in range(200):  # nobody reads: kernel buffers, then the queue, then the time-out
            left.send(header(1 << 20), [piece])
    assert time.monotonic() - started < 3
    assert left.sent.payload_bytes < 100 << 20
    left.close()


def test_polling_receivers_hear_the_same(sockets: Sockets) -> None:
    left, right = Channel(sockets[0], timeout_s=5), Channel(sockets[1], timeout_s=0.3, poll_s=0.02)
    try:
        for pause_s in (0.0, 0.005, 0.05):  # there already, while it asks, after it fell asleep
            sender = threading.Timer(pause_s, left.send, (header(5), [memoryview(b"hello")]))
            sender.start()
            payload = bytearray(5)
            right.receive_into(header(5), memoryview(payload))
            sender.join()
            assert payload == b"hello"
        with pytest.raises(ConnectionFailedError, match=r"no data .* for 0\.3 s"):
            right.receive_into(header(5), memoryview(bytearray(5)))
        left.close()
        with pytest.raises(ConnectionFailedError, match="closed"):
            right.receive_into(header(5), memoryview(bytearray(5)))
    finally:
        right.close()


def test_what_is_done_until_the_message_comes(sockets: Sockets) -> None:
    left, right = Channel(sockets[0], timeout_s=5), Channel(sockets[1], timeout_s=5, poll_s=5)
    steps: list[str] = []

    def work() -> Iterator[None]:
        steps.append("first")
        yield
        steps.append("second")
        left.send(header(5), [memoryview(b"hello")])
        yield
        # Loopback may take a moment; the work ends anyway, and the message is waited for.
        steps.append("last")

    payload = bytearray(5)
    meanwhile = work()
    try:
        right.receive_into(header(5), memoryview(payload), meanwhile)
        assert payload == b"hello" and steps[:2] == ["first", "second"]
        done = list(steps)
        left.send(header(5), [memoryview(b"again")])
        right.readable_within(5)
        right.receive_into(header(5), memoryview(payload), meanwhile)
        assert payload == b"again" and steps == done  # it was there: nothing else came first
    finally:
        left.close()
        right.close()


def test_silence_is_a_time_out(channels: Pair) -> None:
    channels[1].set_receive_timeout(0.2)
    started = time.monotonic()
    with pytest.raises(ConnectionFailedError, match=r"no data from the other party for 0\.2 s"):
        channels[1].receive_into(header(1), memoryview(bytearray(1)))
    assert 0.1 < time.monotonic() - started < 2


@pytest.mark.parametrize("sent_bytes", [0, 1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 9])
def test_truncated_frame(sockets: Sockets, sent_bytes: int) -> None:
    right = Channel(sockets[1], timeout_s=5)
    sockets[0].sendall((header(10).encode() + bytes(10))[:sent_bytes])
    sockets[0].close()
    with pytest.raises(ConnectionFailedError, match="closed the connection"):
        right.receive_into(header(10), memoryview(bytearray(10)))
    right.close()


def test_reset_connection(sockets: Sockets) -> None:
    right = Channel(sockets[1], timeout_s=5)
    sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sockets[0].close()
    with pytest.raises(ConnectionFailedError, match="closed the connection"):
        right.receive_into(header(10), memoryview(bytearray(10)))
    with pytest.raises(ConnectionFailedError, match="closed the connection"):
        right.send(header(10), [memoryview(bytes(10))])
    right.close()


def test_sending_to_a_peer_that_left_ends_in_an_error(sockets: Sockets) -> None:
    left = Channel(sockets[0], timeout_s=5)
    left.send(header(30_000_000), [memoryview(bytes(30_000_000))])
    sockets[1].close()
    with pytest.raises(ConnectionFailedError, match="closed the connection"):
        left.flush()
    left.close()


def test_wrong_length_is_refused_before_the_payload(channels: Pair) -> None:
    channels[0].send(header(11), [memoryview(bytes(11))])
    with pytest.raises(PeerError, match="11 came where a payload in bytes of 10 was due"):
        channels[1].receive_into(header(10), memoryview(bytearray(10)))


def test_garbage_instead_of_a_frame(sockets: Sockets) -> None:
    right = Channel(sockets[1], timeout_s=5)
    sockets[0].sendall(b"\xff" * 4096)
    with pytest.raises(PeerError, match="does not speak pi-bench"):
        right.receive_into(header(10), memoryview(bytearray(10)))
    right.close()


def test_bounded_receive(channels: Pair) -> None:
    data = os.urandom(200_000)
    channels[0].send(header(200_000), [memoryview(data)])
    assert channels[1].receive_bounded(header(0), 200_000, 5) == data


def test_bounded_receive_refuses_more_than_the_bound(channels: Pair) -> None:
    channels[0].send(header(101), [memoryview(bytes(101))])
    with pytest.raises(PeerError, match="101 bytes where at most 100"):
        channels[1].receive_bounded(header(0), 100, 5)


def test_announced_length_allocates_nothing(sockets: Sockets) -> None:
    right = Channel(sockets[1], timeout_s=5)
    sockets[0].sendall(header(1 << 40).encode() + bytes(1000))
    sockets[0].shutdown(socket.SHUT_WR)
    tracemalloc.start()
    try:
        with pytest.raises(ConnectionFailedError):
            right.receive_bounded(header(0), 1 << 41, 5)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    right.close()


def test_bounded_receive_has_one_deadline_for_a_dripping_peer(sockets: Sockets) -> None:
    right = Channel(sockets[1], timeout_s=5)
    stop = threading.Event()

    def drip() -> None:
        for byte in header(1000).encode() + bytes(1000):
            if stop.wait(0.05):
                return
            sockets[0].send(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    started = time.monotonic()
    with pytest.raises(ConnectionFailedError):
        right.receive_bounded(header(0), 1000, 0.4)
    assert time.monotonic() - started < 2
    stop.set()
    thread.join()
    right.close()


@pytest.mark.parametrize("due_bytes", [0, 5, 10, 100_000])  # it may hold some of the reason already
def test_abort_tells_the_reason(channels: Pair, due_bytes: int) -> None:
    thread = threading.Thread(target=channels[0].abort, args=(1, "digest differs\x1b[31m"))
    thread.start()
    with pytest.raises(PeerError, match=r"ended the session: digest differs\?\[31m$"):
        channels[1].receive_into(header(due_bytes), memoryview(bytearray(due_bytes)))
    channels[1].close()
    thread.join()


def test_abort_arrives_in_spite_of_unread_data(channels: Pair) -> None:
    channels[1].send(header(9), [memoryview(bytes(9))])
    thread = threading.Thread(target=channels[0].abort, args=(1, "why"))
    thread.start()
    with pytest.raises(PeerError, match="ended the session: why"):
        channels[1].receive_into(header(10), memoryview(bytearray(10)))
    channels[1].close()
    thread.join()


def test_overlong_abort_is_not_read(sockets: Sockets) -> None:
    right = Channel(sockets[1], timeout_s=5)
    sockets[0].sendall(header(1 << 60)._replace(kind=FrameKind.ABORT).encode())
    with pytest.raises(PeerError, match="no reason that can be read"):
        right.receive_into(header(10), memoryview(bytearray(10)))
    right.close()


def test_use_after_close(channels: Pair) -> None:
    channels[0].close()
    with pytest.raises(ConnectionFailedError):
        channels[0].send(header(1), [memoryview(b"x")])
