"""Estimates the difference between the clocks of both parties, as NTP does.

    client                                server
      CLOCK count            ->
                             <-           ready
      a byte       at t1     ->  at t2
              at t4          <-  at t3    t2 and t3                  `count` times

The server's clock is ahead by (t2 - t1 + t3 - t4) / 2, if both directions take equally long. The error is at
most half of the time on the way, (t4 - t1 - (t3 - t2)) / 2, however that time is divided. So the round trip
with the shortest time counts. Two readings, before and after an inference, show how the clocks drift.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from pi_bench.errors import PeerError
from pi_bench.session.commands import Command, receive_ready, send_command, send_ready
from pi_bench.session.session import Session

ROUND_TRIPS = 16
MAX_ROUND_TRIPS = 64
_LEAST_STEADY = 1000
"""No clock of a computer gains or loses more than one part in so many."""
_TIMES = struct.Struct("<QQ")
_MAX_NS = 1 << 62
_Ns = Annotated[int, Meta(ge=-_MAX_NS, le=_MAX_NS)]


class ClockReading(msgspec.Struct, frozen=True):
    """Compares the clocks of both parties at one time.

    Attributes:
        server_ns: the time on the server's clock.
        offset_ns: how far the server's clock is ahead of the client's.
        uncertainty_ns: the largest error of the offset.

    >>> ClockReading.of(client_sent=100, server_received=1_130, server_sent=1_140, client_received=170)
    ClockReading(server_ns=1135, offset_ns=1000, uncertainty_ns=30)
    """

    server_ns: _Ns
    offset_ns: _Ns
    uncertainty_ns: _Ns

    @classmethod
    def of(
        cls, client_sent: int, server_received: int, server_sent: int, client_received: int
    ) -> ClockReading:
        """Makes the reading of one round trip from its four times in nanoseconds."""
        on_the_way = client_received - client_sent - (server_sent - server_received)
        return cls(
            (server_received + server_sent) // 2,
            (server_received - client_sent + server_sent - client_received) // 2,
            max(1, -(-on_the_way // 2)),
        )


class ClockComparison(msgspec.Struct, frozen=True):
    """Holds a reading before and one after an inference, and converts times between them.

    >>> comparison = ClockComparison(ClockReading(10_000, 500, 30), ClockReading(50_000, 520, 40))
    >>> comparison.to_client(30_000), comparison.uncertainty_ns
    (29490, 40)
    """

    before: ClockReading
    after: ClockReading

    @property
    def uncertainty_ns(self) -> int:
        """The largest error of a converted time between the readings, if the clocks drift evenly."""
        readings = (self.before.uncertainty_ns, self.after.uncertainty_ns)
        if self._drifts:
            return max(readings)
        return min(readings) + self._passed_ns // _LEAST_STEADY

    @property
    def offset_ns(self) -> int:
        """How far the server's clock is ahead on average between the readings, as `to_client` takes it."""
        if self._drifts:
            return (self.before.offset_ns + self.after.offset_ns) // 2
        return self._better.offset_ns

    @property
    def drift_ns(self) -> int:
        """How much further the server's clock is ahead at the second reading, as `to_client` takes it."""
        return self.after.offset_ns - self.before.offset_ns if self._drifts else 0

    def to_client(self, server_ns: int) -> int:
        """Converts a time of the server's clock to the client's.

        The offset changes evenly from one reading to the other. If it changed faster than clocks drift, the
        readings differ by their errors alone, and the better one counts.
        """
        if not self._drifts:
            return server_ns - self._better.offset_ns
        since_ns = server_ns - self.before.server_ns
        return server_ns - self.before.offset_ns - self.drift_ns * since_ns // self._passed_ns

    @property
    def _better(self) -> ClockReading:
        return min(self.before, self.after, key=lambda reading: reading.uncertainty_ns)

    @property
    def _passed_ns(self) -> int:
        return max(0, self.after.server_ns - self.before.server_ns)

    @property
    def _drifts(self) -> bool:
        drift_ns = abs(self.after.offset_ns - self.before.offset_ns)
        return 0 < drift_ns * _LEAST_STEADY <= self._passed_ns


def read_clock_as_client(session: Session, clock: Callable[[], int] = time.perf_counter_ns) -> ClockReading:
    """Compares the server's clock with this one. `answer_clock_as_server` runs at the other party.

    ```python
    def uncertainty_s(session: Session) -> float:
        return 1e-9 * read_clock_as_client(session).uncertainty_ns
    ```

    Raises:
        PeerError: the server's times cannot be right.
        ConnectionFailedError: the server is silent, or the connection was lost.
    """
    byte, answer = bytearray(1), bytearray(_TIMES.size)
    send_command(session, Command.CLOCK, ROUND_TRIPS)
    receive_ready(session)
    readings = []
    for _ in range(ROUND_TRIPS):
        sent = clock()
        session.send(byte)
        session.receive_into(answer)
        received = clock()
        at_server, from_server = _TIMES.unpack(answer)
        if not at_server <= from_server < _MAX_NS or from_server - at_server > received - sent:
            raise PeerError("the server's clock gave times that cannot be right")
        readings.append(ClockReading.of(sent, at_server, from_server, received))
    return min(readings, key=lambda reading: reading.uncertainty_ns)


def answer_clock_as_server(
    session: Session, count: int, clock: Callable[[], int] = time.perf_counter_ns
) -> None:
    """Answers `read_clock_as_client` after its command has arrived with `count`.

    ```python
    def answer(session: Session, count: int) -> None:
        answer_clock_as_server(session, count)
    ```

    Raises:
        PeerError: `count` is 0 or larger than `MAX_ROUND_TRIPS`.
    """
    if not 0 < count <= MAX_ROUND_TRIPS:
        raise PeerError(
            f"the client asks for {count} readings of the clock; 1 to {MAX_ROUND_TRIPS} are given"
        )
    byte = bytearray(1)
    send_ready(session)
    for _ in range(count):
        session.receive_into(byte)
        received = clock()
        session.send(_TIMES.pack(received, clock()))
    session.flush()
