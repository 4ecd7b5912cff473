"""Measures the real round trip and rates of a link, on the session before its first inference.

client                                server
  PROBE size  ------------------->
              <-------------------      ready
  a byte      ------------------->
              <-------------------      a byte         several times: the round trip
  size bytes  ------------------->
              <-------------------      a byte         bandwidth up
  a byte      ------------------->
              <-------------------      size bytes     bandwidth down
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from pi_bench.channel.link import Link
from pi_bench.errors import PeerError
from pi_bench.session.commands import Command, send_command
from pi_bench.session.session import Session

MAX_BYTES = 16 << 20
_ROUND_TRIPS = 5
_TRANSFER_S = 0.2  # the time of the transfer in the slower direction
_MIN_BYTES = 32 << 10
_SHORTEST_S = 1e-9
_GROWTH = 8


@dataclass(frozen=True, slots=True)
class MeasuredLink:
    """Holds the shortest of a few round trips, and the rate of one transfer in each direction.

    >>> MeasuredLink(0.04, 1e8, 1e8).as_dict()
    {'rtt_s': 0.04, 'up_bits_per_s': 100000000.0, 'down_bits_per_s': 100000000.0}
    """

    rtt_s: float
    up_bits_per_s: float
    down_bits_per_s: float

    def as_dict(self) -> dict[str, float]:
        """Returns the fields as JSON values."""
        return asdict(self)


def probe_bytes(link: Link) -> int:
    """Returns the bytes of each transfer with which the rates of `link` are probed.

    >>> probe_bytes(Link.parse("100Mbit,40ms"))
    2500000
    """
    slower = min(link.up_bits_per_s, link.down_bits_per_s)
    return int(min(MAX_BYTES, max(_MIN_BYTES, slower * _TRANSFER_S / 8)))


def probe_unknown_link(session: Session, clock: Callable[[], float] = time.perf_counter) -> MeasuredLink:
    """Probes a link of unknown rates.

    Transfers grow until the one in the slower direction takes about a fifth of a second.

    ```python
    def round_trip_s(session: Session) -> float:
        return probe_unknown_link(session).rtt_s
    ```
    """
    size = _MIN_BYTES
    while True:
        found = probe_as_client(session, size, clock)
        slower = min(found.up_bits_per_s, found.down_bits_per_s)
        wanted = int(min(MAX_BYTES, max(size, slower * _TRANSFER_S / 8)))
        if wanted < 2 * size:
            return found
        size = min(wanted, _GROWTH * size)  # a short transfer says little about the rate of a long one


def probe_as_client(
    session: Session, size: int, clock: Callable[[], float] = time.perf_counter
) -> MeasuredLink:
    """Times round trips of a byte, then `size` bytes each way. `probe_as_server` runs the other party.

    ```python
    def probe(session: Session, link: Link) -> MeasuredLink:
        return probe_as_client(session, probe_bytes(link))
    ```
    """
    byte, payload = bytearray(1), _touched(size)

    def timed_s(sent: bytearray, received: bytearray) -> float:
        started = clock()
        session.send(sent)
        session.receive_into(received)
        return clock() - started

    send_command(session, Command.PROBE, size)
    session.receive_into(byte)
    rtt_s = min(timed_s(byte, bytearray(1)) for _ in range(_ROUND_TRIPS))
    up_s = timed_s(payload, byte) - rtt_s
    down_s = timed_s(byte, payload) - rtt_s
    return MeasuredLink(rtt_s, 8 * size / max(_SHORTEST_S, up_s), 8 * size / max(_SHORTEST_S, down_s))


def probe_as_server(session: Session, size: int) -> None:
    """Answers `probe_as_client` after its command has arrived with `size`.

    ```python
    def answer(session: Session, size: int) -> None:
        probe_as_server(session, size)
    ```

    Raises:
        PeerError: `size` is 0 or larger than `MAX_BYTES`.
    """
    if not 0 < size <= MAX_BYTES:
        raise PeerError(f"the client wants to probe the link with {size} bytes; 1 to {MAX_BYTES} are taken")
    byte, payload = bytearray(1), _touched(size)
    session.send(byte)
    for _ in range(_ROUND_TRIPS):
        session.receive_into(byte)
        session.send(byte)
    session.receive_into(payload)
    session.send(byte)
    session.receive_into(byte)
    session.send(payload)
    session.flush()


def _touched(size: int) -> bytearray:
    """Returns memory whose pages exist, so that no transfer waits for them."""
    return bytearray(b"\x01") * size
