"""Sends over an emulated link: each piece is written at the time when it would arrive.

So the kernel's loopback carries only bytes that have already crossed the link, and the reader of the socket
sees the link's delay and rate. A late wake-up delays one piece and no later one, since all arrivals are
computed by one clock.

Waking a thread takes tens of microseconds, and hundreds on some virtual machines. So a receiver that polls
writes the pieces that are due meanwhile, and the sender's thread rests.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import socket
import time
from collections import deque
from collections.abc import Callable

from pi_bench import _native
from pi_bench.channel.link import ArrivalClock, Pace
from pi_bench.channel.sender import Sender, rest_of, send_reason
from pi_bench.crypto.checksum import Checksum

_PR_SET_TIMERSLACK = 29
_LONGEST_PAUSE_S = 0.05  # after which a closed connection is noticed


class PacedSender(Sender):
    """Sends as `Sender` does, but holds each piece of a message back until it has crossed the link.

    >>> import socket
    >>> ours, theirs = socket.socketpair()
    >>> pace = Pace(delay_s=0.001, bits_per_s=1e9)
    >>> sender = PacedSender(ours, queue_bytes=1 << 20, timeout_s=5, pace=pace)
    >>> sender.send([memoryview(b"data")])
    >>> theirs.recv(4)
    b'data'
    >>> ours.close()
    >>> theirs.close()
    >>> sender.close()
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        queue_bytes: int,
        timeout_s: float,
        pace: Pace,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pace = pace
        self._arrival_clock = ArrivalClock(pace)
        self._arrivals: deque[float] = deque()  # of the pending views, in their order
        self._clock, self._sleep = clock, sleep
        super().__init__(connection, queue_bytes=queue_bytes, timeout_s=timeout_s)

    @property
    def sends_at_once(self) -> bool:
        """False, since every frame waits for its arrival."""
        return False

    def polls_from_now(self, poll_s: float) -> bool:
        """Tells whether a receiver may poll: nothing is pending, or the next piece is due within `poll_s`."""
        with self._changed:
            due = not self._arrivals or self._arrivals[0] <= self._clock() + poll_s
            self._polled = due and self._failure is None and not self._closing
            return self._polled

    def write_due(self) -> None:
        """Writes the pieces that are due, as far as the socket takes them. Never raises."""
        if not self._arrivals or self._arrivals[0] > self._clock():
            return
        with self._changed:
            if self._writing:
                return  # the thread has earlier pieces
            batch = self._take()
            left = batch
            try:
                sent = _native.channel.send_at_once(self._connection.fileno(), None, *batch)
                left = [] if sent is None else rest_of(batch, sent)
            except OSError as error:
                self._fail(send_reason(error, self._timeout_s))
            self._pending_bytes -= sum(map(len, batch)) - sum(map(len, left))
            self._pending.extendleft(reversed(left))
            self._arrivals.extendleft([-math.inf] * len(left))
            self._changed.notify_all()

    def polls_no_more(self) -> None:
        """Leaves the pieces that are still pending to the thread."""
        with self._changed:
            self._polled = False
            if self._pending:
                self._changed.notify_all()

    def send(self, views: list[memoryview], checksum: Checksum | None = None) -> None:
        """Queues `views` in pieces, each for the time of its arrival. Raises as `Sender.send` does."""
        self._require_sound()
        size = self._pace.piece_bytes
        self._enqueue([view[at : at + size] for view in views for at in range(0, len(view), size)])
        if checksum is not None:
            checksum.add_frame(*views)

    def _append(self, views: list[memoryview]) -> None:
        now = self._clock()
        arrivals = [self._arrival_clock.arrival(len(view), now) for view in views]
        arrivals[0] = arrivals[min(1, len(arrivals) - 1)]  # a header is of no use before its payload
        self._pending.extend(views)
        self._arrivals.extend(arrivals)

    def _take(self) -> list[memoryview]:
        now, batch = self._clock(), []
        while self._pending and self._arrivals[0] <= now:
            batch.append(self._pending.popleft())
            self._arrivals.popleft()
        return batch

    def _rest(self) -> None:
        if self._arrivals:
            self._sleep(min(_LONGEST_PAUSE_S, max(0.0, self._arrivals[0] - self._clock())))

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # Linux alone: waking within microseconds
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        super()._run()
