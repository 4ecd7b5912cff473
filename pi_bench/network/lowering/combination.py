"""A linear combination of the values of graph nodes, with constant coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.network.graph import Shape


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """A linear combination of values: ``sum(coefficients[name] * value of the node) + constant``.

    `shape` is without batch. Coefficients and constant are float64 arrays that broadcast to it. `literal`
    says that they are numbers in the network's code and thus no secret; numbers from parameters and buffers
    are secret.

    >>> x = Combination((2,), {"x": np.ones(())}, np.zeros(()))
    >>> float(x.plus(x.times(2.0)).coefficients["x"])
    3.0
    """

    shape: Shape
    coefficients: Mapping[str, np.ndarray]
    constant: np.ndarray
    literal: bool = True

    def times(self, factor: np.ndarray | float, *, literal: bool = False) -> Combination:
        """Multiplies by a constant."""
        scaled = {name: value * factor for name, value in self.coefficients.items()}
        return Combination(self.shape, scaled, self.constant * factor, self.literal and literal)

    def plus(self, other: Combination) -> Combination:
        """Adds another combination of the same shape."""
        names = [*self.coefficients, *(name for name in other.coefficients if name not in self.coefficients)]
        zero = np.zeros(())
        total = {
            name: self.coefficients.get(name, zero) + other.coefficients.get(name, zero) for name in names
        }
        literal = self.literal and other.literal
        return Combination(self.shape, total, self.constant + other.constant, literal)

    def without_zeros(self) -> Combination:
        """Leaves out coefficients that are 0."""
        alive = {name: value for name, value in self.coefficients.items() if value.any()}
        return Combination(self.shape, alive, self.constant, self.literal)
