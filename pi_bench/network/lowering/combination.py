"""A linear combination of the values of graph nodes, with constant coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.network.graph import Shape


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """``sum(coefficients[name] * value of the node) + constant``, of `shape` without batch.

    Coefficients and constant: float64 arrays that broadcast to `shape`. `literal`: they stand as numbers
    in the network's code, so that they are no secret; what comes from parameters and buffers is one.
    """

    shape: Shape
    coefficients: Mapping[str, np.ndarray]
    constant: np.ndarray
    literal: bool = True

    def times(self, factor: np.ndarray | float, *, literal: bool = False) -> Combination:
        scaled = {name: value * factor for name, value in self.coefficients.items()}
        return Combination(self.shape, scaled, self.constant * factor, self.literal and literal)

    def plus(self, other: Combination) -> Combination:
        names = [*self.coefficients, *(name for name in other.coefficients if name not in self.coefficients)]
        zero = np.zeros(())
        total = {
            name: self.coefficients.get(name, zero) + other.coefficients.get(name, zero) for name in names
        }
        literal = self.literal and other.literal
        return Combination(self.shape, total, self.constant + other.constant, literal)

    def without_zeros(self) -> Combination:
        alive = {name: value for name, value in self.coefficients.items() if value.any()}
        return Combination(self.shape, alive, self.constant, self.literal)
