"""Reads exact numbers of bytes from one socket, with time-outs and, if it is allowed, with polling."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from pi_bench import _native
from pi_bench.arithmetic.prefetch import Prefetch
from pi_bench.channel.sender import Sender, timeval
from pi_bench.crypto.checksum import Checksum
from pi_bench.errors import ConnectionFailedError

_PIECE_BYTES = 64 << 10


class Receiver:
    """Reads one direction of one socket. One thread uses it.

    It polls for `poll_s` seconds before it sleeps. While `sender`, of the same socket, has work that the
    receiver cannot do for it meanwhile, it sleeps at once.

    >>> import socket
    >>> ours, theirs = socket.socketpair()
    >>> sender = Sender(ours, queue_bytes=1 << 20, timeout_s=5)
    >>> receiver = Receiver(ours, sender, timeout_s=5, poll_s=0)
    >>> theirs.sendall(b"data")
    >>> data = bytearray(4)
    >>> receiver.read_exactly(memoryview(data))
    >>> data
    bytearray(b'data')
    >>> ours.close()
    >>> theirs.close()
    >>> sender.close()
    """

    def __init__(self, connection: socket.socket, sender: Sender, *, timeout_s: float, poll_s: float) -> None:
        self._connection = connection
        self._sender = sender
        self._poll_s = poll_s
        self._timeout_s: float | None = None
        self.set_timeout(timeout_s)

    @property
    def timeout_s(self) -> float | None:
        """The seconds for which the peer may stay silent. None means without limit."""
        return self._timeout_s

    def set_timeout(self, timeout_s: float | None) -> None:
        """Sets the seconds for which the peer may stay silent from now on. None means without limit."""
        if timeout_s != self._timeout_s or timeout_s is None:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(timeout_s or 0.0))
            self._timeout_s = timeout_s

    def receive_some(
        self, views: list[memoryview], flags: int = 0, meanwhile: Iterator[None] | None = None
    ) -> int:
        """Fills `views` with the bytes that have arrived, waits for at least one, and returns their number.

        With MSG_WAITALL it sleeps until the views are full. While it polls, it takes one step of `meanwhile`
        whenever nothing has arrived.

        Raises:
            ConnectionFailedError: the peer stayed silent, or the connection was lost.
        """
        if self._poll_s and self._sender.polls_from_now(self._poll_s):
            try:
                if count := self._poll_for(views, meanwhile):
                    return count
            finally:
                self._sender.polls_no_more()
        return self._sleep_for(views, flags)

    def poll_frame(
        self,
        expected: bytes,
        header: bytearray,
        payload: memoryview,
        checksum: Checksum | None,
        meanwhile: Iterator[None] | None,
    ) -> tuple[int, bool]:
        """Polls for a frame. Returns how many of its bytes have come and whether its header is `expected`.

        If it is, `checksum` has got everything that has come, and the end of a complete payload. Otherwise it
        has got nothing. It never sleeps, so it may return before anything has come, and it raises nothing: a
        lost connection shows in the next read.
        """
        if not self._poll_s or not self._sender.idle:
            return 0, False
        if meanwhile is not None and not isinstance(meanwhile, Prefetch):
            return 0, False  # steps in Python, which `receive_some` takes
        sums = None if checksum is None else checksum.native
        return _native.channel.poll_frame(
            self._connection.fileno(), expected, header, payload, self._poll_s, meanwhile, sums
        )

    def read_exactly(self, view: memoryview, deadline: float | None = None) -> None:
        """Fills `view`. `deadline` is a time of `time.monotonic`.

        Raises:
            ConnectionFailedError: the peer took too long, or the connection was lost.
        """
        position, total = 0, view.nbytes
        while position < total:
            self.require_time(deadline)
            position += self.receive_some([view[position:]], socket.MSG_WAITALL)

    @property
    def poll_s(self) -> float:
        """The seconds for which it polls before it sleeps."""
        return self._poll_s

    @staticmethod
    def require_time(deadline: float | None) -> None:
        """Checks that `deadline`, a time of `time.monotonic`, has not passed.

        Raises:
            ConnectionFailedError: it has passed.
        """
        if deadline is not None and time.monotonic() > deadline:
            raise ConnectionFailedError("the other party took too long; it may be overloaded or stalled")

    def discard(self, length: int, deadline: float) -> None:
        """Reads and drops `length` bytes. Raises as `read_exactly` does."""
        piece = memoryview(bytearray(min(length, _PIECE_BYTES)))
        while length > 0:
            self.read_exactly(piece[:length], deadline)
            length -= len(piece)

    def read_in_pieces(self, length: int, deadline: float) -> bytearray:
        """Reads `length` bytes into memory that grows as they arrive. Raises as `read_exactly` does."""
        payload = bytearray()
        piece = memoryview(bytearray(min(length, _PIECE_BYTES)))
        while len(payload) < length:
            part = piece[: length - len(payload)]
            self.read_exactly(part, deadline)
            payload += part
        return payload

    def discard_until_end(self, deadline: float) -> None:
        """Reads and drops everything until the peer closes its direction or fails, or `deadline` has passed.

        A socket that is closed with unread data resets the connection, and the last sent message may be lost
        by that.
        """
        with contextlib.suppress(OSError):
            while (left_s := deadline - time.monotonic()) > 0:
                self._connection.settimeout(left_s)
                if not self._connection.recv(_PIECE_BYTES):
                    return

    def discard_now(self) -> None:
        """Reads and drops the bytes that have arrived."""
        with contextlib.suppress(OSError):
            while self._connection.recv(_PIECE_BYTES, socket.MSG_DONTWAIT):
                pass

    def _poll_for(self, views: list[memoryview], meanwhile: Iterator[None] | None) -> int:
        """Returns the number of bytes that arrive while it polls: 0 without any, or at a lost connection."""
        until = time.perf_counter() + self._poll_s
        while time.perf_counter() < until:
            try:
                return self._connection.recvmsg_into(views, 0, socket.MSG_DONTWAIT)[0]
            except BlockingIOError:
                self._sender.write_due()
                if meanwhile is not None:
                    next(meanwhile, None)
            except OSError:
                break
        return 0

    def _sleep_for(self, views: list[memoryview], flags: int) -> int:
        try:
            count = self._connection.recvmsg_into(views, 0, flags)[0]
        except BlockingIOError:
            raise ConnectionFailedError(
                f"no data from the other party for {self._timeout_s:g} s; "
                "it may be busy with another client, stalled or unreachable"
            ) from None
        except OSError as error:
            raise ConnectionFailedError(self._sender.failure or _reason(error)) from error
        if count == 0:
            raise ConnectionFailedError(self._sender.failure or "the other party closed the connection")
        return count


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionResetError):
        return "the other party closed the connection"
    return f"the connection failed: {error.strerror or error}"
