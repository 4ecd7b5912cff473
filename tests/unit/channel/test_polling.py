"""A receiver that polls reads and sums frames as one that sleeps does, however they are cut."""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time

import numpy as np
import pytest

from pi_bench.arithmetic.prefetch import prefetch
from pi_bench.channel import Channel, FrameHeader, FrameKind
from pi_bench.channel.frame import HEADER_BYTES
from pi_bench.errors import PeerError, PeerGaveUpError

Sockets = tuple[socket.socket, socket.socket]
SIZE = 300_000
POLL_S = 0.02


def header(depth: int = 1, payload_bytes: int = SIZE) -> FrameHeader:
    return FrameHeader(FrameKind.ONLINE, 1, 2, 3, 4, depth, payload_bytes)


def receive(sockets: Sockets, data: bytes, cuts: list[int], pause_s: float, poll_s: float) -> Channel:
    """Receives two frames whose bytes come in pieces, and checks the payloads."""
    right = Channel(sockets[1], timeout_s=5, poll_s=poll_s)
    right.start_checksums(bytes(16))
    whole = header().encode() + data + header(payload_bytes=0).encode()
    places = [0, *cuts, len(whole)]

    def send() -> None:
        for start, stop in itertools.pairwise(places):
            sockets[0].sendall(whole[start:stop])
            time.sleep(pause_s)

    thread = threading.Thread(target=send)
    thread.start()
    payload = bytearray(SIZE)
    right.receive_into(header(), memoryview(payload), prefetch([np.zeros(1 << 16, np.uint8)]))
    assert payload == data
    right.receive_into(header(payload_bytes=0), memoryview(bytearray()))
    thread.join()
    return right


@pytest.mark.parametrize("pause_s", [0.0, 3 * POLL_S])  # within the polling, and after it fell asleep
@pytest.mark.parametrize(
    "cuts",
    [
        [],
        [3, 20],
        [HEADER_BYTES],
        [HEADER_BYTES + 1, 200_000],
        [HEADER_BYTES + SIZE, HEADER_BYTES + SIZE + 5],
    ],
)
def test_frames_in_pieces_are_summed_alike(cuts: list[int], pause_s: float) -> None:
    data = os.urandom(SIZE)
    digests = []
    for poll_s in (0.0, POLL_S):
        sockets = socket.socketpair()
        channel = receive(sockets, data, cuts, pause_s, poll_s)
        digests.append(channel.digests()[1])
        channel.close()
        sockets[0].close()
    assert digests[0] == digests[1]


def test_another_depth_is_received_and_summed(sockets: Sockets) -> None:
    right = Channel(sockets[1], timeout_s=5, poll_s=POLL_S)
    left = Channel(sockets[0], timeout_s=5)
    for channel in (left, right):
        channel.start_checksums(bytes(16))
    left.send(header(depth=3, payload_bytes=4), [memoryview(b"four")])
    payload = bytearray(4)
    assert right.receive_into(header(depth=1, payload_bytes=4), memoryview(payload)).depth == 3
    assert payload == b"four"
    assert right.digests()[1] == left.digests()[0]
    left.close()
    right.close()


def test_another_header_is_refused(sockets: Sockets) -> None:
    right = Channel(sockets[1], timeout_s=5, poll_s=POLL_S)
    left = Channel(sockets[0], timeout_s=5)
    left.send(header(payload_bytes=4), [memoryview(b"four")])
    with pytest.raises(PeerError, match="a payload in bytes of 4 came where a payload in bytes of 5 was due"):
        right.receive_into(header(payload_bytes=5), memoryview(bytearray(5)))
    left.close()
    right.close()


def test_the_reason_of_a_peer_that_gives_up_is_heard(sockets: Sockets) -> None:
    leaver, polling = Channel(sockets[0], timeout_s=5), Channel(sockets[1], timeout_s=5, poll_s=POLL_S)
    leaver.abort(1, "the disk is full")
    with pytest.raises(PeerGaveUpError, match="the disk is full"):
        polling.receive_into(header(payload_bytes=5), memoryview(bytearray(5)))
    polling.close()
