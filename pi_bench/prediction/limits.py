"""Holds the limits of one machine: the seconds that a unit of each kind of work takes at best."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from pi_bench.costs import LIMIT_NAMES
from pi_bench.errors import InputError

FAR_BELOW = 0.6
"""A rate below this fraction of the usual one means that the machine is busy, slowed down or another one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The best rates of one machine, as seconds per unit.

    Attributes:
        unit_s: by the names of `LIMIT_NAMES`, while `threads` threads share the work.
        cache_bytes: how much material the caches may keep from one phase to the next; None if the system does
            not tell.
        time: when they were measured, in ISO 8601.
        earlier: the limits that this machine showed before.

    Raises:
        InputError: a limit is missing or is no positive number, or another field is out of range.

    >>> limits = Limits(dict.fromkeys(LIMIT_NAMES, 1e-9), threads=1, cache_bytes=1000)
    >>> round(limits.memory_s(3000), 9)
    3e-06
    """

    unit_s: Mapping[str, float]
    threads: int
    cache_bytes: int | None = None
    time: str = ""
    earlier: tuple[Mapping[str, float], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.threads < 1 or (self.cache_bytes or 0) < 0:
            raise InputError("limits need at least one thread, and caches of at least 0 bytes")
        for name in LIMIT_NAMES:
            value = self.unit_s.get(name, 0.0)
            if not (math.isfinite(value) and 0 < value < 1e3):
                raise InputError(
                    f"the limit {name!r} is {value} s per unit; it must be above 0, below 1000 s"
                )

    def seconds(self, amounts: Mapping[str, float]) -> float:
        """Returns the least time for work of several kinds that run at the same time: that of the slowest."""
        return max(
            (
                self.memory_s(amount) if name == "memory" else amount * self.unit_s[name]
                for name, amount in amounts.items()
            ),
            default=0.0,
        )

    def memory_s(self, byte_count: float) -> float:
        """Returns the least time for reading stored material.

        As much of it as the caches hold may still be there, so it counts at the rate of the fastest cache.
        """
        kept = byte_count if self.cache_bytes is None else min(byte_count, self.cache_bytes)
        cache_s = min(self.unit_s["cache"], self.unit_s["memory"])
        return kept * cache_s + (byte_count - kept) * self.unit_s["memory"]

    def age_s(self, now: datetime.datetime) -> float:
        """Returns the seconds since the limits were measured; infinite if the time is unknown or to come."""
        try:
            age_s = (now - datetime.datetime.fromisoformat(self.time)).total_seconds()
        except (ValueError, TypeError):
            return math.inf
        return age_s if age_s >= 0 else math.inf

    def far_below_usual(self) -> dict[str, float]:
        """Returns the limits whose rate is far below the median of the earlier ones, with the ratio.

        >>> usual = dict.fromkeys(LIMIT_NAMES, 1e-9)
        >>> Limits({**usual, "aes": 2e-9}, threads=1, earlier=(usual,)).far_below_usual()
        {'aes': 0.5}
        """
        found = {}
        for name in LIMIT_NAMES:
            usual = [measured[name] for measured in self.earlier if name in measured]
            if usual and (fraction := median(usual) / self.unit_s[name]) < FAR_BELOW:
                found[name] = fraction
        return found
