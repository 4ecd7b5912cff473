"""Emulates links between two processes of one machine: a delay and a rate per direction.

Each party holds back its messages. A message occupies its direction for its bytes divided by the rate, and
then travels for half of the round trip. Bytes are those of frames. The headers of TCP and IP, the slow start
of TCP and losses are not emulated.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from pi_bench.errors import UsageError
from pi_bench.unknown_name import similar_names

_PIECE_S = 100e-6
_MIN_PIECE_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Pace:
    """Describes one direction of a link.

    Attributes:
        delay_s: the time that a bit takes from end to end.
        bits_per_s: the highest rate.

    >>> Pace(delay_s=0.02, bits_per_s=8e6).transfer_s(1_000_000)
    1.0
    """

    delay_s: float
    bits_per_s: float

    def transfer_s(self, byte_count: int) -> float:
        """Returns the seconds for which `byte_count` bytes occupy the direction."""
        return 8 * byte_count / self.bits_per_s

    @property
    def piece_bytes(self) -> int:
        """The size of the pieces in which a message crosses the link.

        The receiver gets the beginning of a long message before its end is sent.
        """
        return max(_MIN_PIECE_BYTES, int(self.bits_per_s / 8 * _PIECE_S))


@dataclass(frozen=True, slots=True)
class Link:
    """Describes both directions of a link: `up` is from client to server, `down` from server to client.

    >>> Link.parse("rtt=50ms,up=10Mbit,down=40Mbit").down
    Pace(delay_s=0.025, bits_per_s=40000000.0)
    """

    name: str
    rtt_s: float
    up_bits_per_s: float
    down_bits_per_s: float

    @property
    def up(self) -> Pace:
        """The direction from client to server."""
        return Pace(self.rtt_s / 2, self.up_bits_per_s)

    @property
    def down(self) -> Pace:
        """The direction from server to client."""
        return Pace(self.rtt_s / 2, self.down_bits_per_s)

    @classmethod
    def parse(cls, text: str) -> Link:
        """Reads a name of `LINKS`, or bandwidth and round trip in any order, such as ``100Mbit,40ms``.

        Fields may have names, as in ``rtt=40ms,up=10Mbit,down=40Mbit``.

        Raises:
            UsageError: the text is neither, or a number is out of range.
        """
        if text in LINKS:
            return LINKS[text]
        values: dict[str, float] = {}
        for word in text.split(","):
            name, value = _field(word, text)
            if name in values:
                raise UsageError(f"the link {text!r} has two values of {name}")
            values[name] = value
        rate = values.get("bandwidth", math.nan)
        up, down = values.get("up", rate), values.get("down", rate)
        if "rtt" not in values or math.isnan(up) or math.isnan(down):
            missing = "a bandwidth" if "rtt" in values else "a round trip"
            raise UsageError(f"the link {text!r} lacks {missing}: {_FORM}")
        link = cls(text, values["rtt"], up, down)
        if link.rtt_s > _MAX_RTT_S:
            raise UsageError(f"the link {text!r}: its round trip must be at most {_MAX_RTT_S:g} s")
        if not all(_MIN_BITS_PER_S <= bits <= _MAX_BITS_PER_S for bits in (up, down)):
            raise UsageError(f"the link {text!r}: its bandwidth must be 1Mbit to 100Gbit (per second)")
        return link


class ArrivalClock:
    """Computes when bytes arrive that are sent in one direction. Times are of any monotonic clock, in s.

    >>> clock = ArrivalClock(Pace(delay_s=0.5, bits_per_s=8.0))
    >>> clock.arrival(1, now=0.0), clock.arrival(1, now=0.0)
    (1.5, 2.5)
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._free_at = -math.inf

    def transfer_s(self, byte_count: int) -> float:
        """Returns the seconds for which `byte_count` bytes occupy the direction."""
        return self._pace.transfer_s(byte_count)

    def arrival(self, byte_count: int, now: float) -> float:
        """Returns the time at which the next `byte_count` bytes, given at `now`, have arrived."""
        self._free_at = max(self._free_at, now) + self._pace.transfer_s(byte_count)
        return self._free_at + self._pace.delay_s


_MAX_RTT_S = 2.0  # the time-outs of the handshake allow no more
_MIN_BITS_PER_S, _MAX_BITS_PER_S = 1e6, 1e11
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
_UNITS = {"rtt": _TIMES, "bandwidth": _RATES, "up": _RATES, "down": _RATES}

LINKS = {
    link.name: link
    for link in (
        Link("lan", 0.2e-3, 1e9, 1e9),
        Link("10g", 0.1e-3, 1e10, 1e10),
        Link("wan", 40e-3, 1e8, 1e8),
        Link("mobile", 50e-3, 1e7, 4e7),
    )
}
"""A LAN, a fast LAN, a wide-area network and a phone: round trip in s, both directions in bits per second."""

_FORM = (
    f"write {', '.join(LINKS)}, loopback, or bandwidth and round trip as in 100Mbit,40ms "
    "(kbit, Mbit or Gbit per second; us, ms or s; up= and down= for two bandwidths)"
)


def _field(word: str, text: str) -> tuple[str, float]:
    """Returns the name and the value of a field, in bits per second or in seconds.

    The unit tells the name of a field without one.
    """
    question = similar_names(word, (*LINKS, "loopback")) if word == text else ""
    unreadable = f"the link {text!r} cannot be read: {f'{question} ' if question else ''}{_FORM}"
    name, equals, quantity = word.strip().rpartition("=")
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([a-z]+)", quantity.lower(), re.ASCII)
    if found is None:
        raise UsageError(unreadable)
    if not equals:
        name = "rtt" if found[2] in _TIMES else "bandwidth"
    unit = _UNITS.get(name, {}).get(found[2])
    if unit is None:
        raise UsageError(unreadable)
    return name, float(found[1]) * unit
