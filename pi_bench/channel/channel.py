"""A connection that carries frames, with exact reads, time-outs, byte counters and checksums."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pi_bench import defaults
from pi_bench.channel.frame import HEADER_BYTES, MAGIC, FrameHeader, FrameKind, require_magic
from pi_bench.channel.link import Pace
from pi_bench.channel.paced_sender import PacedSender
from pi_bench.channel.receiver import Receiver
from pi_bench.channel.schedule import Schedule, Stop
from pi_bench.channel.sender import Sender, shut_down
from pi_bench.crypto.checksum import Checksum
from pi_bench.errors import ConnectionFailedError, PeerError, PeerGaveUpError

DEFAULT_QUEUE_BYTES = 64 << 20
MAX_ABORT_BYTES = 512
_CHECKED_BYTES = 1 << 20  # added to the checksum while they are still in the cache
_LINGER_S = 1.0
_DRAIN_PAUSE_S = 0.01


@dataclass(slots=True)
class Traffic:
    """Counts bytes in one direction: those of payloads, and those with the frames' headers.

    >>> traffic = Traffic()
    >>> traffic.count(100)
    >>> traffic
    Traffic(payload_bytes=100, wire_bytes=136, message_count=1)
    """

    payload_bytes: int = 0
    wire_bytes: int = 0
    message_count: int = 0

    def count(self, payload_bytes: int) -> None:
        """Adds a frame."""
        self.payload_bytes += payload_bytes
        self.wire_bytes += payload_bytes + HEADER_BYTES
        self.message_count += 1


class Channel:
    """Carries frames both ways over one TCP connection. One thread uses it.

    `timeout_s` is how long the peer may stay silent, or take no data, before the connection is given
    up. `poll_s` is how long a receiver asks again and again before it sleeps. Being woken takes tens of
    microseconds, but asking takes a core that nobody else may need. With `pace`, sent bytes cross
    an emulated link (`channel.link`). No allocation follows a length that the peer sent.

    >>> import socket
    >>> ours, theirs = map(Channel, socket.socketpair())
    >>> header = FrameHeader(FrameKind.ONLINE, 1, 1, 2, 0, 1, payload_bytes=4)
    >>> ours.send(header, [memoryview(b"four")])
    >>> payload = bytearray(4)
    >>> theirs.receive_into(header, memoryview(payload)) == header
    True
    >>> payload
    bytearray(b'four')
    >>> ours.close()
    >>> theirs.close()
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        timeout_s: float = defaults.TIMEOUT_S,
        queue_bytes: int = DEFAULT_QUEUE_BYTES,
        poll_s: float = 0.0,
        pace: Pace | None = None,
    ) -> None:
        self._connection = connection
        self._header = bytearray(HEADER_BYTES)
        self._header_view = memoryview(self._header)
        self._checksums: tuple[Checksum, Checksum] | None = None  # of all sent and all received frames
        self.sent = Traffic()
        self.received = Traffic()
        if pace is None:
            self._sender = Sender(connection, queue_bytes=queue_bytes, timeout_s=timeout_s)
        else:
            self._sender = PacedSender(connection, queue_bytes=queue_bytes, timeout_s=timeout_s, pace=pace)
        self._linger_s = _LINGER_S + (0.0 if pace is None else 2 * pace.delay_s)
        self._receiver = Receiver(connection, self._sender, timeout_s=timeout_s, poll_s=poll_s)

    def set_receive_timeout(self, timeout_s: float | None) -> None:
        """Sets the seconds for which the peer may stay silent from now on. None means without limit."""
        self._receiver.set_timeout(timeout_s)

    @property
    def timeout_s(self) -> float | None:
        """The seconds for which the peer may stay silent now. None means without limit."""
        return self._receiver.timeout_s

    def readable_within(self, seconds: float) -> bool:
        """Tells whether data from the peer, or the end of its data, arrives within `seconds`."""
        poll = select.poll()  # select() itself cannot watch descriptors above 1,023
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def start_checksums(self, seed: bytes) -> None:
        """Adds every frame from now on to checksums of both directions. Both parties have the `seed`."""
        self._checksums = Checksum(seed), Checksum(seed)

    def digests(self) -> tuple[bytes, bytes]:
        """Returns the checksums of all frames sent and of all frames received since `start_checksums`."""
        if self._checksums is None:
            raise RuntimeError("start_checksums comes before digests")
        return self._checksums[0].digest(), self._checksums[1].digest()

    def send(self, header: FrameHeader, views: Sequence[memoryview]) -> None:
        """Sends one frame. The buffers must stay unchanged until `flush` returns.

        Raises:
            ConnectionFailedError: this or an earlier frame could not be sent.
            PeerError: the same, and the peer had said why it left.
        """
        self.send_encoded(header.encode(), views, header.payload_bytes)

    def send_encoded(
        self,
        header: bytes,
        views: Sequence[memoryview],
        payload_bytes: int,
        sent: tuple[int, int] | None = None,
    ) -> None:
        """Sends one frame, as `send` does, whose header is encoded already.

        `sent` is the progress that `carry_out` reported for a frame that it began.
        """
        checksum = None if self._checksums is None else self._checksums[0]
        try:
            if sent is None:
                self._sender.send([memoryview(header), *views], checksum)
            else:
                self._sender.send_rest([memoryview(header), *views], sent)
        except ConnectionFailedError as error:
            self._raise_for(error)
        self.sent.count(payload_bytes)

    def flush(self) -> None:
        """Returns when every frame has left this process. Raises as `send` does."""
        try:
            self._sender.flush()
        except ConnectionFailedError as error:
            self._raise_for(error)

    def receive_into(
        self, expected: FrameHeader, view: memoryview, meanwhile: Iterator[None] | None = None
    ) -> FrameHeader:
        """Receives the next frame, whose payload fills `view`, and returns its header.

        The header must match `expected` except for the depth, for which `expected` has the likely value.
        While it polls, it takes one step of `meanwhile` whenever nothing has arrived.

        Raises:
            PeerError: the header does not match, or the peer gave up.
            ConnectionFailedError: the peer stayed silent, or the connection was lost.
        """
        return self.receive_encoded(expected.encode(), view, meanwhile) or expected

    def receive_encoded(
        self,
        expected: bytes,
        view: memoryview,
        meanwhile: Iterator[None] | None = None,
        arrived: tuple[int, bool] | None = None,
    ) -> FrameHeader | None:
        """Receives the next frame, as `receive_into` does, where the expected header is encoded already.

        `arrived` is the progress that `carry_out` reported for a frame that it began. Returns None if the
        header is the expected one, and else the header, whose depth differs.
        """
        sums = None if self._checksums is None else self._checksums[1]
        if arrived is None:
            arrived = self._receiver.poll_frame(expected, self._header, view, sums, meanwhile)
        count, summed = arrived
        if summed:
            self._read_rest(view, count - HEADER_BYTES, sums)
            self.received.count(view.nbytes)
            return None
        if count == 0:
            count = self._receiver.receive_some([self._header_view, view], meanwhile=meanwhile)
        header, position = None, count - HEADER_BYTES
        if position < 0 or self._header != expected:
            header, position = self._complete_header(count, view)
            header.require(FrameHeader.decode(expected))
        if sums is not None:
            sums.add_header(self._header)
            sums.add_part(view[:position])
            if position == view.nbytes:
                sums.end_payload()
        self._read_rest(view, position, sums)
        self.received.count(view.nbytes)
        return header

    @property
    def can_carry_out(self) -> bool:
        """Whether `carry_out` may be called: messages are polled for, and none is waiting to be sent."""
        return bool(self._receiver.poll_s) and self._sender.sends_at_once

    def carry_out(self, schedule: Schedule, first: int, shared: bytes, own: bytes) -> Stop:
        """Carries out the items of a schedule from `first` on in native code, as far as it need not sleep.

        It writes `Schedule.ends_ns` of these items. The header of item i is `shared` followed by part i of
        `own`, which has a part of the same length for every item. `sent` and `received` do not count the
        frames; the caller does.

        Raises:
            ConnectionFailedError, PeerError: as `send`.
        """
        socket, poll_s = self._connection.fileno(), self._receiver.poll_s
        try:
            return schedule.run(first, socket, poll_s, shared, own, self._header, self._checksums)
        except OSError as error:
            try:
                self._sender.fail(error)
            except ConnectionFailedError as failure:
                self._raise_for(failure)

    def _read_rest(self, view: memoryview, position: int, sums: Checksum | None) -> None:
        """Fills `view` from `position` on, and ends the payload of `sums` there if it is not complete yet."""
        if position == view.nbytes:
            return
        if sums is None:
            self._receiver.read_exactly(view[position:])
            return
        for start in range(position, view.nbytes, _CHECKED_BYTES):
            piece = view[start : start + _CHECKED_BYTES]
            self._receiver.read_exactly(piece)
            sums.add_part(piece)
        sums.end_payload()

    def receive_bounded(self, expected: FrameHeader, max_bytes: int, deadline_s: float) -> bytearray:
        """Receives the payload of the next frame, of at most `max_bytes` bytes.

        The header must match `expected` except for the size. Memory grows with the arrived bytes. The
        handshake uses it, before the checksums start.

        Raises:
            PeerError: the header does not match, or announces more than `max_bytes`.
            ConnectionFailedError: the frame was not complete within `deadline_s` seconds, or the peer stayed
                silent.
        """
        deadline = time.monotonic() + deadline_s
        before = self.timeout_s
        try:
            self.set_receive_timeout(deadline_s if before is None else min(deadline_s, before))
            header, _ = self._receive_header(memoryview(b""), deadline=deadline)
            length = header.payload_bytes
            header.require(expected._replace(payload_bytes=length))
            header.require_depth(expected.depth)
            if length > max_bytes:
                raise PeerError(
                    f"the other party announced {length} bytes where at most {max_bytes} are allowed"
                )
            payload = self._receiver.read_in_pieces(length, deadline)
        finally:
            self.set_receive_timeout(before)
        self.received.count(length)
        return payload

    def receive_end(self, timeout_s: float) -> None:
        """Waits until the peer closes the connection or loses it, for `timeout_s` seconds at most.

        Raises:
            PeerError: it sends anything, which is usually why it gave up.
        """
        self.set_receive_timeout(timeout_s)
        with contextlib.suppress(ConnectionFailedError):
            header, _ = self._receive_header(memoryview(b""))
            raise PeerError(f"the other party sent a frame of kind {header.kind.name.lower()} after its last")

    def abort(self, session_id: int, reason: str) -> None:
        """Sends the reason to the peer and closes. It takes about a second at most, and never raises.

        Pending data is sent first, since the reason would otherwise arrive inside another frame. Meanwhile
        the peer's own data is read and dropped. A peer that cannot send would not read, and a socket that is
        closed with unread data may lose the reason.
        """
        text = reason.encode(errors="replace")[:MAX_ABORT_BYTES]
        header = FrameHeader(FrameKind.ABORT, session_id, 0, 0, 0, 0, len(text))
        deadline = time.monotonic() + self._linger_s
        self._sender.send_last([memoryview(header.encode()), memoryview(text)])
        while not self._sender.drained_within(_DRAIN_PAUSE_S) and time.monotonic() < deadline:
            self._receiver.discard_now()
        with contextlib.suppress(OSError):  # the peer may be gone, which the caller knows
            self._connection.shutdown(socket.SHUT_WR)
        self._receiver.discard_until_end(deadline)
        self.close()

    def close(self) -> None:
        """Closes both directions at once. It never raises."""
        shut_down(self._connection)
        self._sender.close()
        self._connection.close()

    def _raise_for(self, failure: ConnectionFailedError) -> NoReturn:
        """Raises `failure`, or the reason that the peer gave before it left, if it is unread."""
        try:
            deadline = time.monotonic() + _LINGER_S
            self.set_receive_timeout(_LINGER_S)
            while True:
                header, _ = self._receive_header(memoryview(b""), deadline=deadline)
                self._receiver.discard(header.payload_bytes, deadline)
        except PeerGaveUpError:
            raise
        except (PeerError, ConnectionFailedError, OSError):  # it left without a reason
            raise failure from None

    def _receive_header(self, payload: memoryview, deadline: float | None = None) -> tuple[FrameHeader, int]:
        """Receives a header and returns it with the number of payload bytes that were received with it.

        For a small message that saves the second call into the kernel. The magic is checked as soon as it has
        arrived, since a peer that speaks another protocol may never send as many bytes as a header has.
        """
        views = [self._header_view, payload] if payload else [self._header_view]
        return self._complete_header(self._receiver.receive_some(views), payload, deadline)

    def _complete_header(
        self, count: int, payload: memoryview, deadline: float | None = None
    ) -> tuple[FrameHeader, int]:
        """Receives the rest of a header, of which `count` bytes have come, and does as `_receive_header`."""
        while count < HEADER_BYTES:
            if count >= len(MAGIC):
                require_magic(bytes(self._header))
            self._receiver.require_time(deadline)
            count += self._receiver.receive_some([self._header_view[count:]])
        header = FrameHeader.decode(self._header)
        position = max(0, count - HEADER_BYTES)
        if header.kind is FrameKind.ABORT:
            reason = self._read_abort(header.payload_bytes, bytes(payload[:position]))
            raise PeerGaveUpError(f"the other party ended the session: {reason}")
        return header, position

    def _read_abort(self, length: int, begun: bytes) -> str:
        if length > MAX_ABORT_BYTES:
            return "(no reason that can be read)"
        rest = max(0, length - len(begun))
        text = begun[:length] + self._receiver.read_in_pieces(rest, time.monotonic() + _LINGER_S)
        return "".join(c if c.isprintable() else "?" for c in text.decode(errors="replace"))
