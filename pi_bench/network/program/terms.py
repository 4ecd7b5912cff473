"""Terms of linear operators: local maps, which move and sum elements, and weights that one may have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pi_bench.shape import Shape


@dataclass(frozen=True, slots=True)
class SumPool:
    """Sum over windows of axes 2 and 3; the divisor of an average is folded elsewhere."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, bottom, left, right: zeros


@dataclass(frozen=True, slots=True)
class Window:
    """The sum of the positions [`begin`, `end`) of one axis, times `factor`."""

    begin: int
    end: int
    factor: int


@dataclass(frozen=True, slots=True)
class SumWindows:
    """Sums over windows that differ: output (i, j) is that of `rows`[i] by `columns`[j] of axes 2 and 3."""

    rows: tuple[Window, ...]
    columns: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Subsample:
    """`size` rows and columns of axes 2 and 3: number i is ``offset + i * stride``, or where that lies
    outside, the row or column at that edge."""

    stride: tuple[int, int]
    offset: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChannelSlice:
    """The channels [`first`, `first + count`)."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class ChannelMap:
    """Channel i of the result is channel `channels[i]`, or zeros where that is -1."""

    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reshape:
    """To `shape`, batch included; row-major."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Permute:
    """Axis i of the result is axis `axes`[i]; the batch stays where it is."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pad:
    """Zeros around axes 2 and 3: the operand's place in a larger map."""

    padding: tuple[int, int, int, int]  # top, bottom, left, right


LocalOp = SumPool | SumWindows | Subsample | ChannelSlice | ChannelMap | Reshape | Permute | Pad
"""Linear, without weights: each party applies it to its own share."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """Secret weights `weight` (out, in / groups, kh, kw), no bias."""

    weight: str
    in_shape: Shape  # (batch, in, h, w)
    out_shape: Shape  # (batch, out, oh, ow)
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, bottom, left, right
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first that a window reads to the last."""
        (rows, columns), (down, across) = self.kernel, self.dilation
        return (rows - 1) * down + 1, (columns - 1) * across + 1

    @property
    def weight_shape(self) -> Shape:
        return (self.out_shape[1], self.in_shape[1] // self.groups, *self.kernel)


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """Secret weights `weight` (out, in / groups), no bias."""

    weight: str
    in_shape: Shape  # (batch, in)
    out_shape: Shape  # (batch, out)
    groups: int = 1

    @property
    def weight_shape(self) -> Shape:
        return (self.out_shape[1], self.in_shape[1] // self.groups)


Weighted = Convolution | FullyConnected


def weighted_mac_count(op: Weighted) -> int:
    """Multiply-accumulates of one application, batch included."""
    return math.prod(op.weight_shape[1:]) * math.prod(op.out_shape)


@dataclass(frozen=True, slots=True, eq=False)
class LinearTerm:
    """One summand: ``(weighted(local(source)) * multiplier) << shift_bits[channel]`` mod 2^32.

    `source` is the id of any earlier value; with weights one of `derived_values`. `local` runs first, in
    order. `multiplier` is a public integer, not 0 (1 for weighted terms). `shift_bits` (the term's
    channels,) uint8 brings it to the scale of its linear operator; weights with a scale per channel
    differ in it. The term is added to the channels from `first_channel` on: a concatenation is a sum of
    terms at different places.
    """

    source: int
    local: tuple[LocalOp, ...]
    weighted: Weighted | None
    multiplier: int
    shift_bits: np.ndarray
    first_channel: int = 0


def element_count(shape: Shape) -> int:
    return math.prod(shape)
