"""Addresses and TCP connections, with errors that say what to do."""

from __future__ import annotations

import contextlib
import errno
import socket
from dataclasses import dataclass

from pi_bench.errors import ConnectionFailedError, NobodyListensError, UsageError

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Names a host and a port.

    >>> Address.parse("[::1]:7000")
    Address(host='::1', port=7000)
    >>> str(Address("127.0.0.1", 7000))
    '127.0.0.1:7000'
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Reads ``HOST:PORT``. An IPv6 address is written in brackets.

        Raises:
            UsageError: not of that form, or a port outside 0 to 65535.
        """
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise UsageError(f"{text!r} is not an address; write HOST:PORT, as in 127.0.0.1:7000")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(address: Address) -> socket.socket:
    """Opens a listening socket. With port 0 the system chooses one, which `local_address` returns.

    >>> with listen(Address("127.0.0.1", 0)) as listener:
    ...     local_address(listener).host
    '127.0.0.1'

    Raises:
        ConnectionFailedError: the port is in use, or the address is not one of this machine.
    """
    family, sockaddr = _resolve(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(sockaddr)
        listener.listen(16)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use; choose another one, or port 0 for any free one"
        elif error.errno == errno.EADDRNOTAVAIL:
            reason = "this machine has no such address"
        elif error.errno == errno.EACCES:
            reason = "this port needs more rights; choose one above 1023"
        else:
            reason = _reason(error)
        raise ConnectionFailedError(f"cannot listen at {address}: {reason}") from error
    return listener


def local_address(listener: socket.socket) -> Address:
    """Returns the address at which a listening socket listens.

    >>> with listen(Address("127.0.0.1", 0)) as listener:
    ...     local_address(listener).port > 0
    True
    """
    host, port = listener.getsockname()[:2]
    return Address(host, port)


def accept(listener: socket.socket, timeout_s: float | None = None) -> tuple[socket.socket, Address]:
    """Accepts the next connection and returns it with the client's address.

    >>> with listen(Address("127.0.0.1", 0)) as listener:
    ...     ours = connect(local_address(listener))
    ...     theirs, client = accept(listener, timeout_s=5)
    >>> client.host
    '127.0.0.1'
    >>> ours.close()
    >>> theirs.close()

    Raises:
        ConnectionFailedError: nobody came within `timeout_s` seconds (None: waits for ever).
    """
    listener.settimeout(timeout_s)
    try:
        connection, peer = listener.accept()
    except TimeoutError:
        raise ConnectionFailedError(
            f"no client came to {local_address(listener)} within {timeout_s:g} s"
        ) from None
    except OSError as error:
        raise ConnectionFailedError(f"cannot accept a connection: {_reason(error)}") from error
    _prepare(connection)
    return connection, Address(peer[0], peer[1])


def connect(address: Address, timeout_s: float = CONNECT_TIMEOUT_S) -> socket.socket:
    """Returns a socket that is connected to the party that listens at `address`.

    >>> with listen(Address("127.0.0.1", 0)) as listener:
    ...     connect(local_address(listener)).close()

    Raises:
        NobodyListensError: nobody listens there.
        ConnectionFailedError: there is no such host, or no answer within `timeout_s`.
    """
    family, sockaddr = _resolve(address)
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(sockaddr)
    except OSError as error:
        connection.close()
        if isinstance(error, TimeoutError):
            reason = (
                f"no answer within {timeout_s:g} s; check the address, and whether a firewall closes the port"
            )
        elif error.errno == errno.ECONNREFUSED:
            raise NobodyListensError(f"cannot connect to {address}: nobody listens there") from error
        else:
            reason = _reason(error)
        raise ConnectionFailedError(f"cannot connect to {address}: {reason}") from error
    _prepare(connection)
    return connection


def _resolve(address: Address) -> tuple[int, tuple[object, ...]]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionFailedError(f"cannot find the host {address.host!r}: {_reason(error)}") from error
    family, _, _, _, sockaddr = found[0]
    return family, sockaddr


def _prepare(connection: socket.socket) -> None:
    """Sets the options by which small messages leave at once and a vanished peer is noticed.

    The sizes of the socket buffers stay with the kernel: setting them turns off its own growth, whose
    ceiling is usually higher than a process may ask for.
    """
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):  # Linux names; elsewhere the system's pace stays
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
