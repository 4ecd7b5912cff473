"""Holds the seconds per unit of computing that were measured on one machine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from pi_bench.costs.units import CostUnits
from pi_bench.errors import InputError

LINK_UNITS = ("message", "byte sent", "byte received", "hop", "wake")
"""Units of every message, whatever the protocol: handing it over, copying one byte at each party, the way of
a small message, and waking a receiver that sleeps."""

STREAMED = "table byte"
"""One byte of material that a step reads from memory. A party that waits before the step reads ahead, so the
wait hides this unit."""

CONTENTION = tuple(f"{party} {phase}" for phase in ("offline", "online") for party in ("client", "server"))
"""Names one party's computing in one phase. The two parties slow each other down there, since they share
caches, memory and often more."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds per unit on one machine.

    Attributes:
        unit_s: seconds by unit name, at `threads` computing threads per party. Units that no script uses do
            no harm.
        machine: describes the measured machine, as words by topic.
        contention: for each name of `CONTENTION`, the factor by which computing takes longer while the other
            party computes than alone (1 by default).

    Raises:
        InputError: a number is out of range, or `contention` lacks a name or has an unknown one.

    >>> costs = Costs({"word": 1e-9, "message": 5e-6}, threads=1, machine={"cpu_model": "example"})
    >>> costs.seconds(CostUnits({"word": 1000.0, "message": 1.0}))
    6e-06
    >>> costs.without(["message"]).of("message")
    0.0
    """

    unit_s: Mapping[str, float]
    threads: int
    machine: Mapping[str, str]
    contention: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(CONTENTION, 1.0))

    def __post_init__(self) -> None:
        for name in (*CONTENTION, *self.contention):
            if name not in self.contention or name not in CONTENTION:
                what = "lack" if name in CONTENTION else "have an unknown"
                raise InputError(
                    f"the costs {what} contention {name!r}; measure them again with this pi-bench"
                )
        for name, factor in self.contention.items():
            if not 1 <= factor < 1e3:
                raise InputError(f"costs: the contention {name!r} is {factor}; it must be from 1 to 1000")
        for name, value in self.unit_s.items():
            if not (math.isfinite(value) and 0 <= value < 1e3):
                raise InputError(f"costs: {name!r} takes {value} s per unit; it must be from 0 to 1000 s")

    def of(self, unit: str) -> float:
        """Returns the seconds that one `unit` takes.

        Raises:
            InputError: the unit was not measured.
        """
        try:
            return self.unit_s[unit]
        except KeyError:
            raise InputError(_lacking(unit)) from None

    def seconds(self, work: CostUnits) -> float:
        """Returns the seconds that `work` takes one party that is alone on its cores.

        Raises:
            InputError: `work` has a unit that was not measured.
        """
        return sum(amount * self.of(name) for name, amount in work.units.items())

    def require(self, units: Iterable[str]) -> None:
        """Checks that all of these units were measured.

        Raises:
            InputError: one was not. The message names it.
        """
        for name in units:
            if name not in self.unit_s:
                raise InputError(_lacking(name))

    def without(self, names: Sequence[str]) -> Self:
        """Returns the costs of the same machine on which these units take no time."""
        return replace(self, unit_s={**self.unit_s, **dict.fromkeys(names, 0.0)})


def _lacking(unit: str) -> str:
    return (
        f"the costs lack the unit {unit!r}, which this protocol needs; "
        "measure them again with this protocol and --measure-costs"
    )
