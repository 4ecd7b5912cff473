"""What a network is made of, counted without building it: each operator's shape, parameters and MACs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

Shape = tuple[int, ...]


class Kind(Enum):
    """`SHORTCUT` is a convolution beside the main path: papers leave it out when they count layers."""

    CONV = "conv"
    SHORTCUT = "shortcut"
    NORM = "batch_norm"
    LINEAR = "linear"
    RELU = "relu"
    POOL = "pool"
    MAX_POOL = "max_pool"


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator. Shapes have no batch axis; `stage` is 0 before the first stage and behind the last.
    `polynomial_channels`: of a ReLU layer, the channels that have a polynomial in place of ReLU."""

    path: str  # of the torch module
    kind: Kind
    stage: int
    shape: Shape  # of the output
    parameter_count: int = 0  # what is trained
    mac_count: int = 0  # multiply-accumulates of one inference
    polynomial_channels: int = 0

    @property
    def relu_count(self) -> int:
        if self.kind is not Kind.RELU:
            return 0
        return (self.shape[0] - self.polynomial_channels) * math.prod(self.shape[1:])

    @property
    def polynomial_count(self) -> int:
        """Elements that have a polynomial."""
        return self.polynomial_channels * math.prod(self.shape[1:])


@dataclass(slots=True)
class Sketch:
    """Follows one tensor through a network and notes the operators that it passes."""

    shape: Shape
    stage: int = 0
    layers: list[Layer] = field(default_factory=list)

    def conv(
        self,
        path: str,
        width: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        bias: bool = False,
        kind: Kind = Kind.CONV,
    ) -> None:
        """A square kernel, padded so that stride 1 keeps the size."""
        channels = self.shape[0]
        self.shape = (width, *(strided(side, stride) for side in self.shape[1:]))
        taps = channels // groups * kernel * kernel
        macs = taps * math.prod(self.shape)
        self._note(path, kind, taps * width + (width if bias else 0), macs)

    def norm(self, path: str) -> None:
        self._note(path, Kind.NORM, 2 * self.shape[0])

    def relu(self, path: str, kept: bool = True) -> None:
        if kept:
            self._note(path, Kind.RELU)

    def pool(self, path: str, size: int, kind: Kind = Kind.POOL) -> None:
        """Windows of `size` by `size` that do not overlap; what is left over at the border is dropped."""
        self.shape = (self.shape[0], *(side // size for side in self.shape[1:]))
        self._note(path, kind)

    def overlapping_pool(self, path: str, stride: int) -> None:
        """The maxima of windows of 3 by 3, padded so that stride 1 would keep the size."""
        self.shape = (self.shape[0], *(strided(side, stride) for side in self.shape[1:]))
        self._note(path, Kind.MAX_POOL)

    def global_pool(self, path: str) -> None:
        self.shape = (self.shape[0],)
        self._note(path, Kind.POOL)

    def linear(self, path: str, width: int) -> None:
        inputs = math.prod(self.shape)
        self.shape = (width,)
        self._note(path, Kind.LINEAR, (inputs + 1) * width, inputs * width)

    def _note(self, path: str, kind: Kind, parameters: int = 0, macs: int = 0) -> None:
        self.layers.append(Layer(path, kind, self.stage, self.shape, parameters, macs))

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)


def strided(side: int, stride: int) -> int:
    """Side of a map behind a kernel whose padding keeps the size at stride 1."""
    return (side - 1) // stride + 1
