"""Sends over an emulated link: each piece is written at the time when it would arrive.

So the kernel's loopback carries only bytes that have already crossed the link, and the reader of the socket
sees the link's delay and rate. A late wake-up delays one piece and no later one, since all arrivals are
computed by one clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import time
from collections import deque
from collections.abc import Callable

from pi_bench.channel.link import ArrivalClock, Pace
from pi_bench.channel.sender import Sender
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
