"""Measures a loopback connection to a process that answers.

``python -m pi_bench.primitives.loopback HOST:PORT raw|polling|frames [CORE,...]`` is that process. It
connects and serves requests. A request of eight bytes says how many bytes (raw, polling) or frames follow.
One byte answers when all have come.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
from types import TracebackType
from typing import Self

from pi_bench.channel import tcp
from pi_bench.channel.channel import Channel
from pi_bench.channel.frame import NO_STEP, FrameHeader, FrameKind
from pi_bench.crypto.symmetric import SEED_BYTES
from pi_bench.errors import ConnectionFailedError

_REQUEST = struct.Struct("<Q")
_PIECE_BYTES = 1 << 18
_SEED = bytes(SEED_BYTES)
_ANSWER_BYTES = 1
_START_S = 30.0


class _Peer:
    """Starts the other process, holds the connection to it, and ends both."""

    kind: str
    cores: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        listener = tcp.listen(tcp.Address("127.0.0.1", 0))
        with listener:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(tcp.local_address(listener)), self.kind]
                + ([",".join(map(str, self.cores))] if self.cores else []),
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},  # it is imported before it runs
            )
            try:
                self.connection, _ = tcp.accept(listener, _START_S)
            except BaseException:
                self._process.kill()
                self._process.wait()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        try:
            self._process.wait(_START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Closes the socket."""
        self.connection.close()


class Echo(_Peer):
    """A loopback TCP socket without the channel of this package.

    Args:
        polls: both ends poll for bytes and never sleep.
        cores: those of the other process; without them the system places it.

    >>> with Echo() as echo:
    ...     echo.send(1_000_000)
    ...     echo.round_trips(10)
    """

    def __init__(self, *, polls: bool = False, cores: tuple[int, ...] = ()) -> None:
        self.kind, self.cores = ("polling" if polls else "raw"), cores
        self._flags = socket.MSG_DONTWAIT if polls else 0

    def __enter__(self) -> Self:
        self._piece = bytearray(_PIECE_BYTES)
        return super().__enter__()

    def send(self, byte_count: int) -> None:
        """Sends bytes and waits until all have arrived."""
        self.connection.sendall(_REQUEST.pack(byte_count))
        view = memoryview(self._piece)
        for first in range(0, byte_count, _PIECE_BYTES):
            self.connection.sendall(view[: byte_count - first])
        _read(self.connection, view[:_ANSWER_BYTES], self._flags)

    def round_trips(self, count: int) -> None:
        """Sends empty requests, each after the answer to the last one."""
        view = memoryview(self._piece)[:_ANSWER_BYTES]
        request = _REQUEST.pack(0)
        for _ in range(count):
            self.connection.sendall(request)
            _read(self.connection, view, self._flags)


class FrameEcho(_Peer):
    """The channel of this package on a loopback TCP socket.

    >>> with FrameEcho(frame_bytes=1000) as echo:
    ...     echo.send(frame_count=5)
    ...     echo.round_trips(10)
    """

    kind = "frames"

    def __init__(self, frame_bytes: int) -> None:
        self._payload = memoryview(bytearray(b"\x01" * frame_bytes))
        self._answer = memoryview(bytearray(_ANSWER_BYTES))

    def __enter__(self) -> Self:
        super().__enter__()
        self.connection.sendall(_REQUEST.pack(len(self._payload)))
        self._channel = Channel(self.connection)
        self._channel.start_checksums(_SEED)  # as in every session
        return self

    def close(self) -> None:
        """Closes the channel and its socket."""
        self._channel.close()

    def send(self, frame_count: int) -> None:
        """Sends frames and waits until all have arrived."""
        request = memoryview(_REQUEST.pack(frame_count))
        self._channel.send(_header(_REQUEST.size), [request])
        for _ in range(frame_count):
            self._channel.send(_header(len(self._payload)), [self._payload])
        self._channel.receive_into(_header(_ANSWER_BYTES), self._answer)
        self._channel.flush()

    def round_trips(self, count: int) -> None:
        """Sends empty requests, each after the answer to the last one."""
        for _ in range(count):
            self.send(0)


def _header(payload_bytes: int) -> FrameHeader:
    return FrameHeader(FrameKind.ONLINE, 0, 0, NO_STEP, 0, 0, payload_bytes)


def _read(connection: socket.socket, view: memoryview, flags: int = 0) -> None:
    while view:
        try:
            count = connection.recv_into(view, 0, flags)
        except BlockingIOError:  # only with MSG_DONTWAIT
            continue
        if count == 0:
            raise ConnectionFailedError("the other end of the loopback connection is gone")
        view = view[count:]


def _serve_raw(connection: socket.socket, flags: int = 0) -> None:
    request, piece = bytearray(_REQUEST.size), memoryview(bytearray(_PIECE_BYTES))
    while True:
        _read(connection, memoryview(request), flags)
        (expected,) = _REQUEST.unpack(request)
        for first in range(0, expected, _PIECE_BYTES):
            _read(connection, piece[: expected - first], flags)
        connection.sendall(piece[:_ANSWER_BYTES])


def _serve_frames(connection: socket.socket) -> None:
    request = memoryview(bytearray(_REQUEST.size))
    _read(connection, request)
    payload = memoryview(bytearray(_REQUEST.unpack(request)[0]))
    answer = memoryview(bytearray(_ANSWER_BYTES))
    channel = Channel(connection)
    channel.start_checksums(_SEED)
    try:
        while True:
            channel.receive_into(_header(_REQUEST.size), request)
            for _ in range(_REQUEST.unpack(request)[0]):
                channel.receive_into(_header(len(payload)), payload)
            channel.send(_header(_ANSWER_BYTES), [answer])
            channel.flush()
    finally:
        channel.close()


def main(address: str, kind: str, cores: str = "") -> None:
    """Serves one connection until it ends.

    Args:
        kind: "raw", "polling" or "frames".
        cores: numbers with commas between them, to which the process is bound.

    >>> import threading
    >>> with socket.create_server(("127.0.0.1", 0)) as listener:
    ...     address = f"127.0.0.1:{listener.getsockname()[1]}"
    ...     peer = threading.Thread(target=main, args=(address, "raw"))
    ...     peer.start()
    ...     connection, _ = listener.accept()
    >>> with connection:
    ...     connection.sendall(_REQUEST.pack(3) + b"abc")
    ...     len(connection.recv(1))
    1
    >>> peer.join()
    """
    if cores:
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
    connection = tcp.connect(tcp.Address.parse(address))
    with connection, contextlib.suppress(ConnectionFailedError, ConnectionError):
        if kind == "frames":
            _serve_frames(connection)
        else:
            _serve_raw(connection, socket.MSG_DONTWAIT if kind == "polling" else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
