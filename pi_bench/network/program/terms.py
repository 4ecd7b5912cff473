"""Terms of linear operators: local maps, which move and sum elements, and the weights of a term."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pi_bench.shape import Shape


@dataclass(frozen=True, slots=True)
class SumPool:
    """Sums over windows of axes 2 and 3; the divisor of an average is folded elsewhere.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> pool = SumPool(kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0))
    >>> apply_local([pool], np.ones((1, 1, 2, 4), np.uint32)).tolist()
    [[[[4, 4]]]]
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, bottom, left, right: zeros


@dataclass(frozen=True, slots=True)
class Window:
    """The sum of the positions [`begin`, `end`) of one axis, times `factor`.

    >>> Window(begin=0, end=3, factor=2).factor
    2
    """

    begin: int
    end: int
    factor: int


@dataclass(frozen=True, slots=True)
class SumWindows:
    """Sums over windows that differ in size: output (i, j) sums `rows[i]` by `columns[j]` of axes 2 and 3.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> sums = SumWindows(rows=(Window(0, 1, 1),), columns=(Window(0, 1, 2), Window(0, 2, 1)))
    >>> apply_local([sums], np.ones((1, 1, 1, 2), np.uint32)).tolist()
    [[[[2, 2]]]]
    """

    rows: tuple[Window, ...]
    columns: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Subsample:
    """A choice of `size` rows and columns of axes 2 and 3: number i is ``offset + i * stride``.

    Positions outside of the map give the row or column at that edge.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> every_second = Subsample(stride=(1, 2), offset=(0, 0), size=(1, 2))
    >>> apply_local([every_second], np.arange(4, dtype=np.uint32).reshape(1, 1, 1, 4)).tolist()
    [[[[0, 2]]]]
    """

    stride: tuple[int, int]
    offset: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChannelSlice:
    """The channels [`first`, `first + count`).

    >>> from pi_bench.network.execution.shares import apply_local
    >>> apply_local([ChannelSlice(first=1, count=2)], np.arange(4, dtype=np.uint32)[None]).tolist()
    [[1, 2]]
    """

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class ChannelMap:
    """A choice of channels: channel i of the result is channel `channels[i]`, or zeros where that is -1.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> apply_local([ChannelMap(channels=(2, -1, 0))], np.uint32([[5, 6, 7]])).tolist()
    [[7, 0, 5]]
    """

    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ElementMap:
    """A choice of elements of each sample: element i is element `positions[i]`, or zero where that is -1.

    Attributes:
        positions: int32, one per element of a sample of the result, which `shape` has in row-major order.
        shape: that of the result, batch included.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> chosen = ElementMap(np.array([3, -1], np.int32), shape=(1, 2))
    >>> apply_local([chosen], np.arange(4, dtype=np.uint32).reshape(1, 2, 2)).tolist()
    [[3, 0]]
    """

    positions: np.ndarray
    shape: Shape


@dataclass(frozen=True, slots=True)
class Reshape:
    """A change of shape to `shape`, batch included, in row-major order.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> apply_local([Reshape(shape=(1, 6))], np.zeros((1, 2, 3), np.uint32)).shape
    (1, 6)
    """

    shape: Shape


@dataclass(frozen=True, slots=True)
class Permute:
    """A change of the order of axes: axis i of the result is axis `axes[i]`; axis 0, the batch, stays.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> apply_local([Permute(axes=(0, 2, 1))], np.zeros((1, 2, 3), np.uint32)).shape
    (1, 3, 2)
    """

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pad:
    """Zeros around axes 2 and 3, which place the operand in a larger map.

    >>> from pi_bench.network.execution.shares import apply_local
    >>> apply_local([Pad(padding=(0, 0, 1, 2))], np.ones((1, 1, 1, 1), np.uint32)).tolist()
    [[[[0, 1, 0, 0]]]]
    """

    padding: tuple[int, int, int, int]  # top, bottom, left, right


LocalOp = SumPool | SumWindows | Subsample | ChannelSlice | ChannelMap | ElementMap | Reshape | Permute | Pad
"""A linear operator without weights, which each party applies to its own share."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with the secret weights `weight` (out, in / groups, kh, kw), without bias.

    >>> conv = Convolution("w", (1, 4, 8, 8), (1, 6, 6, 6), (3, 3), stride=(1, 1), padding=(0, 0, 0, 0))
    >>> conv.weight_shape, conv.extent
    ((6, 4, 3, 3), (3, 3))
    """

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
        """The rows and columns from the first that a window reads to the last."""
        (rows, columns), (down, across) = self.kernel, self.dilation
        return (rows - 1) * down + 1, (columns - 1) * across + 1

    @property
    def weight_shape(self) -> Shape:
        """The shape of its weights, (out, in / groups, kh, kw)."""
        return (self.out_shape[1], self.in_shape[1] // self.groups, *self.kernel)


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """A fully connected layer with the secret weights `weight` (out, in / groups), without bias.

    >>> FullyConnected("head", in_shape=(1, 64), out_shape=(1, 10)).weight_shape
    (10, 64)
    """

    weight: str
    in_shape: Shape  # (batch, in)
    out_shape: Shape  # (batch, out)
    groups: int = 1

    @property
    def weight_shape(self) -> Shape:
        """The shape of its weights, (out, in / groups)."""
        return (self.out_shape[1], self.in_shape[1] // self.groups)


Weighted = Convolution | FullyConnected


def weighted_mac_count(op: Weighted) -> int:
    """Counts the multiply-accumulates of one application, batch included.

    >>> weighted_mac_count(FullyConnected("head", in_shape=(2, 64), out_shape=(2, 10)))
    1280
    """
    return math.prod(op.weight_shape[1:]) * math.prod(op.out_shape)


@dataclass(frozen=True, slots=True, eq=False)
class LinearTerm:
    """One summand of a linear operator: ``(weighted(local(source)) * multiplier) << shift_bits[channel]``.

    Arithmetic is mod 2^32. `source` is the id of any earlier value, and of one of `derived_values` if the
    term has weights. The operators of `local` run first, in order. `multiplier` is a public integer, not 0 (1
    for weighted terms). `shift_bits`, uint8 (the term's channels,), brings the term to the scale of its
    linear operator; it differs where weights have a scale per channel. The term is added to the channels from
    `first_channel` on, so a concatenation is a sum of terms at different places.

    >>> from pi_bench.network.execution.shares import scale_term
    >>> term = LinearTerm(0, (), None, multiplier=3, shift_bits=np.uint8([0, 4]))
    >>> scale_term(term, np.uint32([[1, 1]])).tolist()
    [[3, 48]]
    """

    source: int
    local: tuple[LocalOp, ...]
    weighted: Weighted | None
    multiplier: int
    shift_bits: np.ndarray
    first_channel: int = 0


def element_count(shape: Shape) -> int:
    """Counts the elements of a shape.

    >>> element_count((2, 3, 4))
    24
    """
    return math.prod(shape)
