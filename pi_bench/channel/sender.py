"""Sends at once where the socket takes the data, and otherwise from a bounded queue by a thread.

Buffers are passed by reference: nothing is copied before the kernel does. The queue is bounded in
bytes, so a party that computes faster than the link carries waits in `send`.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from pi_bench import _native
from pi_bench.crypto.checksum import Checksum
from pi_bench.errors import ConnectionFailedError

_IOV_MAX = 512  # buffers a sendmsg; the kernel takes 1,024


class Sender:
    """Writes one direction of one socket. One thread calls `send` and `flush`.

    >>> import socket
    >>> ours, theirs = socket.socketpair()
    >>> sender = Sender(ours, queue_bytes=1 << 20, timeout_s=5)
    >>> sender.send([memoryview(b"da"), memoryview(b"ta")])
    >>> sender.flush()
    >>> theirs.recv(4)
    b'data'
    >>> ours.close()
    >>> theirs.close()
    >>> sender.close()
    """

    def __init__(self, connection: socket.socket, *, queue_bytes: int, timeout_s: float) -> None:
        self._connection = connection
        self._queue_bytes = queue_bytes
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._pending: deque[memoryview] = deque()
        self._pending_bytes = 0  # with the views that are being written
        self._failure: str | None = None
        self._closing = False
        self._polled = False  # a receiver polls, and writes what is due
        self._writing = False  # the thread writes, without holding the lock
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(timeout_s))
        self._thread = threading.Thread(target=self._run, name="pi-bench-sender", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """The reason why sending failed, or None."""
        return self._failure

    @property
    def idle(self) -> bool:
        """Whether nothing is pending and nothing has failed."""
        return self._pending_bytes == 0 and self._failure is None

    @property
    def sends_at_once(self) -> bool:
        """Whether the next frame may be written to the socket without the queue."""
        return self.idle and not self._closing

    def polls_from_now(self, poll_s: float) -> bool:
        """Tells whether a receiver of the same thread may poll for `poll_s` seconds now.

        If it may, it calls `write_due` whenever nothing has arrived, and `polls_no_more` at the end.
        """
        del poll_s
        return self.idle

    def write_due(self) -> None:
        """Writes what is due and needs no waiting, for a receiver that polls. Never raises."""

    def polls_no_more(self) -> None:
        """Ends what `polls_from_now` began."""

    def send(self, views: list[memoryview], checksum: Checksum | None = None) -> None:
        """Sends `views`, one frame, in order. If the socket is full, it returns before they have left.

        Afterwards `checksum` gets the frame: the peer works meanwhile, and the bytes are in the cache still.

        Raises:
            ConnectionFailedError: this or an earlier message could not be sent.
        """
        if self._failure is not None or self._closing:
            self._require_sound()
        if self._pending_bytes == 0:
            try:
                sums = None if checksum is None else checksum.native
                rest = _native.channel.send_at_once(self._connection.fileno(), sums, *views)
            except OSError as error:
                self.fail(error)
            if rest is None:
                return
            self.send_rest(views, rest)
            return
        self._enqueue(views)
        if checksum is not None:
            checksum.add_frame(*views)

    def send_rest(self, views: list[memoryview], sent: tuple[int, int]) -> None:
        """Sends what is left of a frame, as `rest_of` does with `sent`. Raises as `send` does."""
        self._enqueue(rest_of(views, sent))

    def fail(self, error: OSError) -> NoReturn:
        """Gives the connection up because of `error`.

        Raises:
            ConnectionFailedError: always, with the reason.
        """
        self._fail(send_reason(error, self._timeout_s))
        raise ConnectionFailedError(self._failure)

    def _enqueue(self, views: list[memoryview]) -> None:
        byte_count = sum(view.nbytes for view in views)
        with self._changed:
            self._wait_for(
                lambda: self._pending_bytes == 0 or self._pending_bytes + byte_count <= self._queue_bytes
            )
            self._append(views)
            self._pending_bytes += byte_count
            self._changed.notify_all()

    def flush(self) -> None:
        """Returns when every message has left this process.

        Raises:
            ConnectionFailedError: a message could not be sent.
        """
        with self._changed:
            self._wait_for(lambda: self._pending_bytes == 0)

    def send_last(self, views: list[memoryview]) -> None:
        """Queues `views` after all pending bytes, however many. Never waits and never raises."""
        with self._changed:
            if self._failure is None and not self._closing:
                self._append(views)
                self._pending_bytes += sum(view.nbytes for view in views)
                self._changed.notify_all()

    def drained_within(self, seconds: float) -> bool:
        """Waits until nothing is pending or sending has failed, for `seconds` at most.

        Returns whether one of the two happened in time.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: self._failure is not None or self._pending_bytes == 0, seconds
            )

    def close(self) -> None:
        """Drops all pending data and ends the thread. The socket must be shut down first."""
        with self._changed:
            self._closing = True
            self._pending.clear()
            self._changed.notify_all()
        self._thread.join(timeout=self._timeout_s)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._failure is not None or self._closing or condition())
        self._require_sound()

    def _require_sound(self) -> None:
        if self._failure is not None:
            raise ConnectionFailedError(self._failure)
        if self._closing:
            raise ConnectionFailedError("the connection was closed here")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: (bool(self._pending) and not self._polled) or self._closing)
                if self._closing:
                    return
                batch = self._take()
                self._writing = bool(batch)
            if not batch:
                self._rest()
                continue
            total = sum(view.nbytes for view in batch)
            try:
                self._send_all(batch)
            except OSError as error:
                self._fail(send_reason(error, self._timeout_s))
                return
            with self._changed:
                self._writing = False
                self._pending_bytes -= total
                self._changed.notify_all()

    def _append(self, views: list[memoryview]) -> None:
        self._pending.extend(views)

    def _take(self) -> list[memoryview]:
        """Takes the views that may be written now. If it takes none, `_rest` comes before the next try."""
        return [self._pending.popleft() for _ in range(min(_IOV_MAX, len(self._pending)))]

    def _rest(self) -> None:
        """Waits until a pending view may be written, or a little less."""

    def _send_all(self, views: list[memoryview]) -> None:
        """Sends `views` and blocks. It gives up a peer that takes nothing for the whole time-out."""
        while views:
            started = time.monotonic()
            before = sum(view.nbytes for view in views)
            views = _send_some(self._connection, views)
            stalled = sum(view.nbytes for view in views) == before
            if stalled and time.monotonic() - started >= 0.9 * self._timeout_s:
                raise TimeoutError

    def _fail(self, reason: str) -> None:
        with self._changed:
            self._failure = self._failure or reason
            self._changed.notify_all()
        shut_down(self._connection)  # wakes a reader that waits on the same socket


def timeval(seconds: float) -> bytes:
    """Returns the kernel's form of a socket's time-out.

    >>> struct.unpack("@ll", timeval(1.5))
    (1, 500000)
    """
    whole = int(seconds)
    return struct.pack("@ll", whole, int((seconds - whole) * 1e6))


def shut_down(connection: socket.socket) -> None:
    """Ends both directions, if the socket is still connected.

    >>> ours, theirs = socket.socketpair()
    >>> shut_down(ours)
    >>> theirs.recv(1)
    b''
    >>> ours.close()
    >>> theirs.close()
    """
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # not connected any more


def _send_some(connection: socket.socket, views: list[memoryview]) -> list[memoryview]:
    """Sends as much as the socket takes, after a wait if it is full, and returns the rest of `views`."""
    position = 0
    while position < len(views):
        try:
            sent = connection.sendmsg(views[position : position + _IOV_MAX])
        except BlockingIOError:
            break
        while position < len(views) and sent >= len(views[position]):
            sent -= len(views[position])
            position += 1
        if sent:
            return [views[position][sent:], *views[position + 1 :]]
    return views[position:]


def rest_of(views: list[memoryview], sent: tuple[int, int]) -> list[memoryview]:
    """Returns what is left of `views` after the part that was sent.

    Args:
        sent: the number of the first view that is left, and the bytes of it that were sent.

    >>> [bytes(view) for view in rest_of([memoryview(b"ab"), memoryview(b"cd"), memoryview(b"ef")], (1, 1))]
    [b'd', b'ef']
    """
    first, offset = sent
    return [views[first][offset:], *views[first + 1 :]]


def send_reason(error: OSError, timeout_s: float) -> str:
    """Says why sending failed.

    >>> send_reason(TimeoutError(), 5.0)
    'the other party took no data for 5 s; it may be stalled or unreachable'
    """
    if isinstance(error, TimeoutError):
        return f"the other party took no data for {timeout_s:g} s; it may be stalled or unreachable"
    return "the other party closed the connection"
