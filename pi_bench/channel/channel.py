"""A connection that carries frames, with exact reads, time-outs and byte counters."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pi_bench.channel.frame import HEADER_BYTES, FrameHeader, FrameKind
from pi_bench.channel.sender import Sender, shut_down, timeval
from pi_bench.errors import ConnectionFailedError, PeerError

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_QUEUE_BYTES = 64 << 20
MAX_ABORT_BYTES = 512
_PIECE_BYTES = 64 << 10
_LINGER_S = 0.5


@dataclass(slots=True)
class Traffic:
    """Bytes in one direction: of payloads, and with the frames' headers."""

    payload_bytes: int = 0
    wire_bytes: int = 0
    message_count: int = 0

    def count(self, payload_bytes: int) -> None:
        self.payload_bytes += payload_bytes
        self.wire_bytes += payload_bytes + HEADER_BYTES
        self.message_count += 1


class Channel:
    """Frames both ways over one TCP connection.

    `timeout_s`: how long the peer may stay silent, or take no data, before the connection is given
    up. `poll_s`: how long a receiver asks again and again before it sleeps: being woken takes tens of
    microseconds, but asking takes a core that nobody else may need. It sleeps at once after a message
    that came later than that: the next one will, too. One thread uses a channel. No allocation follows
    a length that the peer sent.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        queue_bytes: int = DEFAULT_QUEUE_BYTES,
        poll_s: float = 0.0,
    ) -> None:
        self._connection = connection
        self._header = bytearray(HEADER_BYTES)
        self._timeout_s: float | None = None
        self._poll_s = poll_s
        self._last_wait_s = 0.0
        self.sent = Traffic()
        self.received = Traffic()
        self.set_receive_timeout(timeout_s)
        self._sender = Sender(connection, queue_bytes=queue_bytes, timeout_s=timeout_s)

    def set_receive_timeout(self, timeout_s: float | None) -> None:
        """Silence that is borne from now on, in seconds; None waits for ever."""
        if timeout_s != self._timeout_s or timeout_s is None:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(timeout_s or 0.0))
            self._timeout_s = timeout_s

    @property
    def timeout_s(self) -> float | None:
        """Silence that is borne now."""
        return self._timeout_s

    def readable_within(self, seconds: float) -> bool:
        """Whether something from the peer, or its end, is there within `seconds`."""
        poll = select.poll()  # select() itself cannot watch descriptors above 1,023
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def send(self, header: FrameHeader, views: Sequence[memoryview]) -> None:
        """One frame; the buffers must stay unchanged until `flush` returns.

        Raises: ConnectionFailedError.
        """
        self._sender.send([memoryview(header.encode()), *views])
        self.sent.count(header.payload_bytes)

    def flush(self) -> None:
        self._sender.flush()

    def receive_into(self, expected: FrameHeader, view: memoryview) -> FrameHeader:
        """The next frame, which must match `expected`, its payload into `view`.

        Raises: PeerError, ConnectionFailedError.
        """
        header = self._receive_header()
        header.require(expected)
        self._read_exactly(view)
        self.received.count(header.payload_bytes)
        return header

    def receive_bounded(self, expected: FrameHeader, max_bytes: int, deadline_s: float) -> bytearray:
        """The next frame of the kind, session, inference, step and slice of `expected`, of any size up
        to `max_bytes`; memory grows with what has arrived.

        Raises:
            PeerError: a mismatch, or more than `max_bytes`.
            ConnectionFailedError: not complete within `deadline_s` seconds, or silence in between.
        """
        deadline = time.monotonic() + deadline_s
        before = self._timeout_s
        try:
            self.set_receive_timeout(deadline_s if before is None else min(deadline_s, before))
            header = self._receive_header(deadline)
            length = header.payload_bytes
            header.require(replace(expected, payload_bytes=length))
            if length > max_bytes:
                raise PeerError(
                    f"the other party announced {length} bytes where at most {max_bytes} are allowed"
                )
            payload = self._read_in_pieces(length, deadline)
        finally:
            self.set_receive_timeout(before)
        self.received.count(length)
        return payload

    def abort(self, session_id: int, reason: str) -> None:
        """Tells the peer why, as well as it still can, and closes."""
        text = reason.encode(errors="replace")[:MAX_ABORT_BYTES]
        header = FrameHeader(FrameKind.ABORT, session_id, 0, 0, 0, 0, len(text))
        if self._sender.idle:  # otherwise the words would land inside another frame
            with contextlib.suppress(OSError):  # the peer may be gone, which the caller knows
                self._connection.sendmsg([header.encode(), text], (), socket.MSG_DONTWAIT)
                self._linger()
        self.close()

    def close(self) -> None:
        """Closes both directions at once; never raises."""
        shut_down(self._connection)
        self._sender.close()
        self._connection.close()

    def _linger(self) -> None:
        """Reads on for a moment: closing with unread data would reset the connection and could take
        the last message with it."""
        self._connection.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _LINGER_S
        self._connection.settimeout(_LINGER_S)
        while time.monotonic() < deadline and self._connection.recv(_PIECE_BYTES):
            pass

    def _receive_header(self, deadline: float | None = None) -> FrameHeader:
        header_view = memoryview(self._header)
        started = time.perf_counter()
        polled = self._poll(header_view) if self._last_wait_s < self._poll_s else 0
        self._read_exactly(header_view[polled:], deadline)
        self._last_wait_s = time.perf_counter() - started
        header = FrameHeader.decode(self._header)
        if header.kind is FrameKind.ABORT:
            raise PeerError(f"the other party gave up: {self._read_abort(header.payload_bytes)}")
        return header

    def _read_abort(self, length: int) -> str:
        if length > MAX_ABORT_BYTES:
            return "(no reason that can be read)"
        text = bytes(self._read_in_pieces(length, time.monotonic() + _LINGER_S))
        return "".join(c if c.isprintable() else "?" for c in text.decode(errors="replace"))

    def _read_in_pieces(self, length: int, deadline: float) -> bytearray:
        payload = bytearray()
        piece = memoryview(bytearray(min(length, _PIECE_BYTES)))
        while len(payload) < length:
            part = piece[: length - len(payload)]
            self._read_exactly(part, deadline)
            payload += part
        return payload

    def _poll(self, view: memoryview) -> int:
        """Bytes that came within `poll_s`; errors and the end of the stream are left to the next read."""
        until = time.perf_counter() + self._poll_s
        while time.perf_counter() < until:
            try:
                return self._connection.recv_into(view, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            except OSError:
                break
        return 0

    def _read_exactly(self, view: memoryview, deadline: float | None = None) -> None:
        position, total = 0, view.nbytes
        while position < total:
            if deadline is not None and time.monotonic() > deadline:
                raise ConnectionFailedError("the other party took too long; it may be overloaded or stalled")
            try:
                count = self._connection.recv_into(view[position:], 0, socket.MSG_WAITALL)
            except BlockingIOError:
                raise ConnectionFailedError(
                    f"no data from the other party for {self._timeout_s:g} s; "
                    "it may be busy with another client, stalled or unreachable"
                ) from None
            except OSError as error:
                raise ConnectionFailedError(self._sender.failure or _receive_reason(error)) from error
            if count == 0:
                raise ConnectionFailedError(self._sender.failure or "the other party closed the connection")
            position += count


def _receive_reason(error: OSError) -> str:
    if isinstance(error, ConnectionResetError):
        return "the other party closed the connection"
    return f"the connection failed: {error.strerror or error}"
