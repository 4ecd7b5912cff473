"""The scales of a polynomial activation's products, and the refusal of those that 32 bits do not hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.compiler.scales import bits_below
from pi_bench.network.graph.polynomials import ChannelKind
from pi_bench.network.program import UNWINDOWED_BITS

_FINEST = 64  # of scales
_MIN_ACCURACY = 32
"""Rounding may change a polynomial by at most its range divided by this."""


@dataclass(frozen=True, slots=True)
class ProductScales:
    """The scales of the linear value z (`image`) and of the two factors of a product, z and z^2 + inner.

    >>> ProductScales(image=20, factor=12, bracket=12).product
    24
    """

    image: int
    factor: int
    bracket: int  # that of `factor` where all products are squares, or some

    @property
    def product(self) -> int:
        """The scale of the products."""
        return self.factor + self.bracket


@dataclass(frozen=True, slots=True, eq=False)
class ScaleChoice:
    """The choice of the scales of one activation.

    Attributes:
        name: that of the activation, for refusals.
        kinds: the `ChannelKind` of each unit.
        ranges: the largest magnitudes of the values inside of it (`graph.polynomials.inside_values`).
        headroom: bits that values may grow by.

    >>> ranges = {"scaled": 4.0, "root": 4.0, "inner": 0.0, "cube": 0.0, "joined": 16.0}
    >>> ScaleChoice("act", np.array([ChannelKind.SQUARE]), ranges, headroom=1).choose(natural=20)
    ProductScales(image=20, factor=12, bracket=12)
    """

    name: str
    kinds: np.ndarray
    ranges: Mapping[str, float]
    headroom: int

    def is_accurate(self) -> bool:
        """Tells if its products leave the activation as exact as it needs to be."""
        return self._error(*self._factor_scales(_FINEST)) * _MIN_ACCURACY <= self.ranges["joined"]

    def choose(self, natural: int) -> ProductScales:
        """Chooses the scales; `natural` is the finest scale that z can have without a shift.

        Raises:
            ModelError: 32 bits do not hold the products as exactly as the activation needs.
        """
        factor, bracket = self._factor_scales(natural)
        self._require_accuracy(factor, bracket)
        finest = bits_below(UNWINDOWED_BITS - self.headroom, self.ranges["scaled"])
        if np.any(self.kinds <= ChannelKind.LINEAR):
            finest = min(finest, factor + bracket)
        if finest <= factor:
            raise self.fault("channels with and without products differ too much in range")
        return ProductScales(max(min(natural, finest), factor + 1), factor, bracket)

    def fault(self, reason: str) -> ModelError:
        """Makes the error for an activation that 32 bits do not hold."""
        return ModelError(
            f"layer {self.name!r}: {reason}, which 32-bit fixed point does not hold; normalize "
            "the layer before it (batch normalization), or train it so that leading coefficients that are "
            "almost 0 are 0 and channels of one layer have ranges alike"
        )

    def _factor_scales(self, natural: int) -> tuple[int, int]:
        """Chooses the finest scales of z as a factor and of the bracket at which all later values fit."""
        ranges, room = self.ranges, UNWINDOWED_BITS - 2 * self.headroom
        squared = bits_below(room, max(ranges["root"] ** 2, ranges["inner"]))
        if not self._has(ChannelKind.CUBE):
            factor = min(natural, squared // 2, bits_below(room, ranges["joined"]) // 2)
            return factor, factor
        cubed = bits_below(room - self.headroom, max(ranges["cube"], ranges["joined"]))
        if self._has(ChannelKind.SQUARE):
            factor = min(natural, squared // 2, cubed // 2)
            return factor, factor
        growth = bits_below(0, ranges["root"]) - bits_below(0, ranges["inner"])  # of the bracket over z
        factor = min(natural, squared // 2, (cubed + growth) // 2)
        return factor, min(cubed - factor, 2 * factor - 1)

    def _has(self, kind: ChannelKind) -> bool:
        return bool(np.any(self.kinds == kind))

    def _require_accuracy(self, factor: int, bracket: int) -> None:
        """Checks that rounding the factors changes only a small part of the polynomial's range.

        Raises:
            ModelError: the rounding changes more.
        """
        ranges = self.ranges
        if self._error(factor, bracket) * _MIN_ACCURACY > ranges["joined"] > 0:
            largest = max(ranges["root"] ** 2, ranges["inner"], ranges["cube"])
            raise self.fault(
                f"its terms cancel: they reach {largest:.3g} where the activation is at most "
                f"{ranges['joined']:.3g}"
            )

    def _error(self, factor: int, bracket: int) -> float:
        """Bounds the change of the polynomial by the rounding of factors."""
        ranges = self.ranges
        if not self._has(ChannelKind.CUBE):
            return math.ldexp(2 * ranges["root"], -factor)
        slope = 2 * ranges["root"] ** 2 + ranges["inner"]
        return math.ldexp(slope, -factor) + math.ldexp(ranges["root"], -bracket)
