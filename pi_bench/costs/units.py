"""Counts how often a piece of computing takes each cost unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CostUnits:
    """Says how often a piece of computing takes each cost unit. The sum of two has the units of both.

    Attributes:
        units: how often, by the name of the unit.

    >>> (CostUnits({"word": 2.0}) + CostUnits({"word": 1.0, "message": 1.0})).units
    {'word': 3.0, 'message': 1.0}
    """

    units: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: CostUnits) -> CostUnits:
        names = (*self.units, *(name for name in other.units if name not in self.units))
        return CostUnits({name: self.units.get(name, 0.0) + other.units.get(name, 0.0) for name in names})

    @staticmethod
    def sum(amounts: Iterable[CostUnits]) -> CostUnits:
        """Adds amounts up. The sum of none has no units."""
        total = CostUnits()
        for amount in amounts:
            total += amount
        return total


NOTHING = CostUnits()
