"""A connection that carries frames, with exact reads, time-outs and byte counters."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pi_bench.channel.frame import HEADER_BYTES, FrameHeader, FrameKind
from pi_bench.channel.link import Pace
from pi_bench.channel.paced_sender import PacedSender
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
    microseconds, but asking takes a core that nobody else may need; it sleeps at once while its own
    sending thread has work. `pace`: what is sent crosses an emulated link (`channel.link`). One thread
    uses a channel. No allocation follows a length that the peer sent.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        queue_bytes: int = DEFAULT_QUEUE_BYTES,
        poll_s: float = 0.0,
        pace: Pace | None = None,
    ) -> None:
        self._connection = connection
        self._header = bytearray(HEADER_BYTES)
        self._header_view = memoryview(self._header)
        self._timeout_s: float | None = None
        self._poll_s = poll_s
        self.sent = Traffic()
        self.received = Traffic()
        self.set_receive_timeout(timeout_s)
        if pace is None:
            self._sender = Sender(connection, queue_bytes=queue_bytes, timeout_s=timeout_s)
        else:
            self._sender = PacedSender(connection, queue_bytes=queue_bytes, timeout_s=timeout_s, pace=pace)

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

    def receive_into(
        self, expected: FrameHeader, view: memoryview, meanwhile: Iterator[None] | None = None
    ) -> FrameHeader:
        """The next frame, which must match `expected`, its payload into `view`. While it is asked for,
        one step of `meanwhile` is taken after each answer that nothing has come.

        Raises: PeerError, ConnectionFailedError.
        """
        header, position = self._receive_header(view, meanwhile)
        header.require(expected)
        if position < view.nbytes:
            self._read_exactly(view[position:])
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
            header, _ = self._receive_header(memoryview(b""), deadline=deadline)
            length = header.payload_bytes
            header.require(expected._replace(payload_bytes=length))
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

    def _receive_header(
        self,
        payload: memoryview,
        meanwhile: Iterator[None] | None = None,
        deadline: float | None = None,
    ) -> tuple[FrameHeader, int]:
        """The next header, and how many bytes of what follows it stand in `payload` already: with a
        small message that saves the second call into the kernel."""
        views = [self._header_view, payload] if payload else [self._header_view]
        count = self._receive_some(views, meanwhile=meanwhile)
        if count < HEADER_BYTES:
            self._read_exactly(self._header_view[count:], deadline)
        header = FrameHeader.decode(self._header)
        position = max(0, count - HEADER_BYTES)
        if header.kind is FrameKind.ABORT:
            reason = self._read_abort(header.payload_bytes, bytes(payload[:position]))
            raise PeerError(f"the other party gave up: {reason}")
        return header, position

    def _read_abort(self, length: int, begun: bytes) -> str:
        if length > MAX_ABORT_BYTES:
            return "(no reason that can be read)"
        rest = max(0, length - len(begun))
        text = begun[:length] + self._read_in_pieces(rest, time.monotonic() + _LINGER_S)
        return "".join(c if c.isprintable() else "?" for c in text.decode(errors="replace"))

    def _read_in_pieces(self, length: int, deadline: float) -> bytearray:
        payload = bytearray()
        piece = memoryview(bytearray(min(length, _PIECE_BYTES)))
        while len(payload) < length:
            part = piece[: length - len(payload)]
            self._read_exactly(part, deadline)
            payload += part
        return payload

    def _receive_some(
        self, views: list[memoryview], flags: int = 0, meanwhile: Iterator[None] | None = None
    ) -> int:
        """How many bytes of `views` have come: what is there while it asks, or what it was woken for;
        with MSG_WAITALL it sleeps until they are full.

        Raises: ConnectionFailedError.
        """
        if self._poll_s and self._sender.idle:
            until = time.perf_counter() + self._poll_s
            while time.perf_counter() < until:
                try:
                    count = self._connection.recvmsg_into(views, 0, socket.MSG_DONTWAIT)[0]
                except BlockingIOError:
                    if meanwhile is not None:
                        next(meanwhile, None)
                    continue
                except OSError:
                    break
                if count:
                    return count
                break
        return self._sleep_for(views, flags)

    def _sleep_for(self, views: list[memoryview], flags: int) -> int:
        try:
            count = self._connection.recvmsg_into(views, 0, flags)[0]
        except BlockingIOError:
            raise ConnectionFailedError(
                f"no data from the other party for {self._timeout_s:g} s; "
                "it may be busy with another client, stalled or unreachable"
            ) from None
        except OSError as error:
            raise ConnectionFailedError(self._sender.failure or _receive_reason(error)) from error
        if count == 0:
            raise ConnectionFailedError(self._sender.failure or "the other party closed the connection")
        return count

    def _read_exactly(self, view: memoryview, deadline: float | None = None) -> None:
        position, total = 0, view.nbytes
        while position < total:
            if deadline is not None and time.monotonic() > deadline:
                raise ConnectionFailedError("the other party took too long; it may be overloaded or stalled")
            position += self._receive_some([view[position:]], socket.MSG_WAITALL)


def _receive_reason(error: OSError) -> str:
    if isinstance(error, ConnectionResetError):
        return "the other party closed the connection"
    return f"the connection failed: {error.strerror or error}"
