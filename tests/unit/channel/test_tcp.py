import socket
import time

import pytest

from pi_bench.channel import Address, accept, connect, listen
from pi_bench.channel.tcp import local_address
from pi_bench.errors import ConnectionFailedError, NobodyListensError, UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7000", Address("127.0.0.1", 7000)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:65535", Address("::1", 65535)),
    ],
)
def test_parse_inverts_str(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "host", ":7000", "host:", "host:65536", "host:-1", "host:x", "host:٣"])
def test_not_an_address(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        Address.parse(text)


def test_connects_with_small_messages_undelayed() -> None:
    with listen(Address("127.0.0.1", 0)) as listener, connect(local_address(listener)) as client:
        server, peer = accept(listener, timeout_s=5)
        with server:
            assert peer == Address(*client.getsockname())
            for end in (client, server):
                assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert end.gettimeout() is None


def test_port_in_use() -> None:
    with (
        listen(Address("127.0.0.1", 0)) as listener,
        pytest.raises(ConnectionFailedError, match="the port is in use; choose another"),
    ):
        listen(local_address(listener))


def test_nobody_listens() -> None:
    with listen(Address("127.0.0.1", 0)) as listener:
        address = local_address(listener)
    with pytest.raises(NobodyListensError, match="nobody listens there"):
        connect(address)


def test_nobody_comes() -> None:
    with listen(Address("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        with pytest.raises(ConnectionFailedError, match=r"no client came .* within 0\.1 s"):
            accept(listener, timeout_s=0.1)
        assert time.monotonic() - started < 2


def test_no_such_host() -> None:
    with pytest.raises(ConnectionFailedError, match="cannot find the host"):
        connect(Address("no..such..host", 1))


def test_not_an_address_of_this_machine() -> None:
    with pytest.raises(ConnectionFailedError, match="this machine has no such address"):
        listen(Address("192.0.2.1", 0))
