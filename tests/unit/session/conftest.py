import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pi_bench.channel import Channel
from pi_bench.protocol import Party
from pi_bench.session import Session

SESSION_ID = 0xFEEDFACE
Both = Callable[[Callable[[], Any], Callable[[], Any]], tuple[Any, Any]]
Channels = tuple[Channel, Channel]
Sessions = tuple[Session, Session]


@pytest.fixture
def channels() -> Iterator[Channels]:
    listener = socket.create_server(("127.0.0.1", 0))
    left = socket.create_connection(listener.getsockname())
    right, _ = listener.accept()
    listener.close()
    pair = Channel(left, timeout_s=5), Channel(right, timeout_s=5)
    yield pair
    for channel in pair:
        channel.close()


@pytest.fixture
def sessions(channels: Channels) -> Sessions:
    client, server = channels
    return (
        Session(client, Party.CLIENT, session_id=SESSION_ID, binding=bytes(32)),
        Session(server, Party.SERVER, session_id=SESSION_ID, binding=bytes(32)),
    )


@pytest.fixture
def both() -> Both:
    """Runs two sides at once; an exception is returned as that side's result."""

    def run(left: Callable[[], Any], right: Callable[[], Any]) -> tuple[Any, Any]:
        results: list[Any] = [None, None]

        def side(index: int, action: Callable[[], Any]) -> None:
            try:
                results[index] = action()
            except Exception as error:
                results[index] = error

        thread = threading.Thread(target=side, args=(0, left))
        thread.start()
        side(1, right)
        thread.join()
        return results[0], results[1]

    return run
