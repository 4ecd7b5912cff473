"""Positions and weights of ONNX's Resize along one axis, as the specification of the operator has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pi_bench.errors import ModelError

_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@dataclass(frozen=True, slots=True)
class ResizedAxis:
    """One axis of a map that is resized: its sizes, its scale, and where its new values lie.

    >>> ResizedAxis(size=2, new_size=4, scale=2.0, coordinates="half_pixel").places().tolist()
    [-0.25, 0.25, 0.75, 1.25]
    """

    size: int
    new_size: int
    scale: float
    coordinates: str

    def places(self) -> np.ndarray:
        """Returns the place of each new value among the old ones, float64 (new_size,)."""
        at = np.arange(self.new_size, dtype=np.float64)
        match self.coordinates:
            case "asymmetric":
                return at / self.scale
            case "align_corners":
                return at * (self.size - 1) / max(self.new_size - 1, 1)
            case "pytorch_half_pixel" if self.new_size == 1:
                return np.zeros(1)
            case "half_pixel_symmetric":
                offset = self.size / 2 * (1 - self.new_size / (self.scale * self.size))
                return offset + (at + 0.5) / self.scale - 0.5
        return (at + 0.5) / self.scale - 0.5


def nearest(axis: ResizedAxis, rounding: str) -> list[int]:
    """Returns the position of the old value that each new value equals.

    Raises:
        ModelError: the rounding is not one of ONNX's.

    >>> nearest(ResizedAxis(2, 4, 2.0, "half_pixel"), "round_prefer_floor")
    [0, 0, 1, 1]
    """
    if rounding == "simple":  # of opset 10: down where the map grows
        rounding = "floor" if axis.scale >= 1 else "ceil"
    if rounding not in _ROUNDINGS:
        raise ModelError(f"its nearest_mode {rounding!r:.40} is not one of ONNX's")
    found = _ROUNDINGS[rounding](axis.places()).clip(0, axis.size - 1)
    return [int(at) for at in found]


def matrix(axis: ResizedAxis, mode: str, cubic: float = -0.75, excluded: bool = False) -> np.ndarray:
    """Returns the weights of the old values in the new ones, float32 (new size, size).

    Args:
        mode: "linear" or "cubic".
        cubic: the coefficient of the cubic mode.
        excluded: leaves out the places outside of the map, instead of taking the value at its edge there.

    >>> matrix(ResizedAxis(2, 4, 2.0, "half_pixel"), "linear").tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    places = axis.places()
    if mode == "linear":
        places = places.clip(0, axis.size - 1)
    first = np.floor(places).astype(int)
    part = places - first
    taps = {0: 1 - part, 1: part} if mode == "linear" else _cubic(part, cubic)
    weights = np.zeros((axis.new_size, axis.size))
    for tap, weight in taps.items():
        at = first + tap
        if excluded:
            weight = np.where((at >= 0) & (at < axis.size), weight, 0)
        np.add.at(weights, (np.arange(axis.new_size), at.clip(0, axis.size - 1)), weight)
    total: np.ndarray = weights.sum(axis=1, keepdims=True)
    normalized: np.ndarray = (weights / total).astype(np.float32)
    return normalized


def _cubic(part: np.ndarray, a: float) -> dict[int, np.ndarray]:
    """Returns the weights of the four values around a place, by tap (Keys, 1981)."""

    def near(d: Any) -> Any:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Any) -> Any:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return {-1: far(part + 1), 0: near(part), 1: near(1 - part), 2: far(2 - part)}
