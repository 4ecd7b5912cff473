"""The operators of a network, counted without building it: shapes, parameters, multiply-accumulates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from pi_bench.shape import Shape


class OperatorKind(Enum):
    """The kinds of operators. `SHORTCUT` is a convolution beside the main path, which papers do not count.

    >>> OperatorKind("shortcut")
    <OperatorKind.SHORTCUT: 'shortcut'>
    """

    CONV = "conv"
    SHORTCUT = "shortcut"
    NORM = "batch_norm"
    LINEAR = "linear"
    RELU = "relu"
    POOL = "pool"
    MAX_POOL = "max_pool"


@dataclass(frozen=True, slots=True)
class CountedLayer:
    """One operator of a network.

    Attributes:
        path: the path of the torch module.
        kind: the kind of the operator.
        stage: the stage, from 1; 0 before the first stage and after the last.
        shape: the shape of the output, without batch axis.
        parameter_count: the number of trained parameters.
        mac_count: the multiply-accumulates per inference.
        polynomial_channels: in a ReLU layer, the channels that have a polynomial in place of ReLU.
        linear_channels: in a ReLU layer, the channels that have no activation.

    >>> layer = CountedLayer("stages.0.0.relu1", OperatorKind.RELU, 1, (8, 4, 4), polynomial_channels=6)
    >>> layer.relu_count, layer.polynomial_count
    (32, 96)
    """

    path: str
    kind: OperatorKind
    stage: int
    shape: Shape
    parameter_count: int = 0
    mac_count: int = 0
    polynomial_channels: int = 0
    linear_channels: int = 0

    @property
    def relu_count(self) -> int:
        """The number of ReLUs, 0 for another kind of operator."""
        if self.kind is not OperatorKind.RELU:
            return 0
        relu_channels = self.shape[0] - self.polynomial_channels - self.linear_channels
        return relu_channels * math.prod(self.shape[1:])

    @property
    def polynomial_count(self) -> int:
        """The number of elements that have a polynomial."""
        return self.polynomial_channels * math.prod(self.shape[1:])


@dataclass(frozen=True, slots=True)
class BlockPlace:
    """The place of one block in a network of stages.

    Attributes:
        stage: the stage, from 1.
        number: the number of the block in its stage, from 0.
        width: the channels of the block after channel scaling.
        stride: the stride of the block.

    >>> BlockPlace(stage=2, number=0, width=128, stride=2).path
    'stages.1.0'
    """

    stage: int
    number: int
    width: int
    stride: int

    @property
    def path(self) -> str:
        """The path of the block's torch module."""
        return f"stages.{self.stage - 1}.{self.number}"


@dataclass(slots=True)
class Sketch:
    """A tensor's way through a network: its current shape and the operators that it has passed.

    >>> sketch = Sketch((3, 8, 8))
    >>> sketch.conv("stem.conv", 4, 3, stride=2)
    >>> sketch.shape, [layer.mac_count for layer in sketch]
    ((4, 4, 4), [1728])
    """

    shape: Shape
    stage: int = 0
    layers: list[CountedLayer] = field(default_factory=list)

    def conv(
        self,
        path: str,
        width: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        bias: bool = False,
        kind: OperatorKind = OperatorKind.CONV,
    ) -> None:
        """Adds a convolution with a square kernel, padded so that stride 1 keeps the size."""
        channels = self.shape[0]
        self.shape = (width, *(strided(side, stride) for side in self.shape[1:]))
        taps = channels // groups * kernel * kernel
        macs = taps * math.prod(self.shape)
        self._note(path, kind, taps * width + (width if bias else 0), macs)

    def norm(self, path: str, *, trained: bool = True) -> None:
        """Adds a batch normalization. If it is not trained, it has no scale and shift of its own."""
        self._note(path, OperatorKind.NORM, 2 * self.shape[0] if trained else 0)

    def factorized_reduction(
        self, path: str, width: int, *, kind: OperatorKind = OperatorKind.CONV, trained: bool = True
    ) -> None:
        """Adds a halving of the map: two convolutions 1x1, of even and of odd pixels, and a batch norm."""
        before = self.shape
        for number, part in enumerate((width - width // 2, width // 2), 1):
            self.shape = before
            self.conv(f"{path}.conv{number}", part, 1, 2, kind=kind)
        self.shape = (width, *self.shape[1:])
        self.norm(f"{path}.bn", trained=trained)

    def relu(self, path: str, kept: bool = True) -> None:
        """Adds a ReLU, unless the recipe removes it."""
        if kept:
            self._note(path, OperatorKind.RELU)

    def pool(self, path: str, size: int, kind: OperatorKind = OperatorKind.POOL) -> None:
        """Adds a pooling over windows of `size` by `size` without overlap. Incomplete windows are dropped."""
        self.shape = (self.shape[0], *(side // size for side in self.shape[1:]))
        self._note(path, kind)

    def overlapping_pool(self, path: str, stride: int, kind: OperatorKind = OperatorKind.MAX_POOL) -> None:
        """Adds a pooling over windows of 3 by 3, padded so that stride 1 would keep the size."""
        self.shape = (self.shape[0], *(strided(side, stride) for side in self.shape[1:]))
        self._note(path, kind)

    def global_pool(self, path: str) -> None:
        """Adds a pooling of each channel to one number."""
        self.shape = (self.shape[0],)
        self._note(path, OperatorKind.POOL)

    def linear(self, path: str, width: int) -> None:
        """Adds a fully connected layer with bias."""
        inputs = math.prod(self.shape)
        self.shape = (width,)
        self._note(path, OperatorKind.LINEAR, (inputs + 1) * width, inputs * width)

    def _note(self, path: str, kind: OperatorKind, parameters: int = 0, macs: int = 0) -> None:
        self.layers.append(CountedLayer(path, kind, self.stage, self.shape, parameters, macs))

    def __iter__(self) -> Iterator[CountedLayer]:
        return iter(self.layers)


def strided(side: int, stride: int) -> int:
    """Returns the side of a kernel's output, where padding keeps the size at stride 1.

    >>> strided(32, 1), strided(32, 2), strided(13, 2)
    (32, 16, 7)
    """
    return (side - 1) // stride + 1
