import socket
from collections.abc import Iterator

import pytest

from pi_bench.channel import Channel


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0))
    left = socket.create_connection(listener.getsockname())
    right, _ = listener.accept()
    listener.close()
    yield left, right
    left.close()
    right.close()


@pytest.fixture
def channels(sockets: tuple[socket.socket, socket.socket]) -> Iterator[tuple[Channel, Channel]]:
    pair = Channel(sockets[0], timeout_s=5), Channel(sockets[1], timeout_s=5)
    yield pair
    for channel in pair:
        channel.close()
