"""Linear maps between feature maps, composed exactly, zero padding between them included.

One convolution reads zeros around its input. Two in a row read zeros around the *intermediate* map too,
so their composition is no convolution: near the borders its kernel depends on the position. A `LinearMap`
is a convolution whose kernel depends on the class of the output row and of the output column,

    y[o, i, j] = sum over c, p, q of K[r(i), s(j)][o, c, p, q] x[c, i down - top + p, j across - left + q]
                 + b[r(i), s(j)][o],

zeros around x. Classes are few: one for the inside, one for each row or column near a border that some
intermediate padding reaches. A fully connected layer is one whose kernel covers its input.

`Axis` is the public half of this (sizes and classes of rows or columns), from which costs follow without
touching a weight; kernels are float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar

import numpy as np

from pi_bench.network.linear_maps.composed_kernel import composed_kernel, readers_of

Kind = TypeVar("Kind", bound=Hashable)


@dataclass(frozen=True)
class Axis:
    """One direction (rows or columns) of a linear map: its sizes, its window and its classes.

    Output i reads the inputs ``i * stride - before + [0, extent)``; `classes[i]` is the number of the kernel
    that it uses. `before` counts the zeros in front of the input.

    >>> rows = Axis.of(in_size=6, out_size=6, stride=1, before=1, extent=3)
    >>> rows.class_count, rows.after, rows.read_by(range(0, 2))
    (1, 1, range(0, 3))
    """

    in_size: int
    out_size: int
    stride: int
    before: int  # zeros in front of the input
    extent: int
    classes: tuple[int, ...]

    @classmethod
    def of(cls, in_size: int, out_size: int, stride: int, before: int, extent: int) -> Self:
        """Makes the axis of a convolution, which has one class."""
        return cls(in_size, out_size, stride, before, extent, (0,) * out_size)

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return max(self.classes) + 1

    @property
    def after(self) -> int:
        """Zeros after the input that some output reads."""
        return max(0, (self.out_size - 1) * self.stride - self.before + self.extent - self.in_size)

    def representative(self, kind: int) -> int:
        """Returns the first output of a class."""
        return self.classes.index(kind)

    @cached_property
    def inside(self) -> range:
        """The longest run of outputs of one class: they can be computed by a convolution."""
        runs, start = [], 0
        for _, run in itertools.groupby(self.classes):
            count = len(list(run))
            runs.append(range(start, start + count))
            start += count
        return max(runs, key=len)

    @property
    def borders(self) -> tuple[range, ...]:
        """The outputs before and after the inside; empty ranges are left out."""
        ends = (range(0, self.inside.start), range(self.inside.stop, self.out_size))
        return tuple(border for border in ends if border)

    def read_by(self, outputs: range) -> range:
        """Returns the inputs that these outputs read, at least one."""
        start = min(max(outputs.start * self.stride - self.before, 0), self.in_size - 1)
        stop = min((outputs.stop - 1) * self.stride - self.before + self.extent, self.in_size)
        return range(start, max(stop, start + 1))

    def taps(self, output: int, read: range) -> tuple[slice, slice]:
        """Returns the taps of an output that lie in the inputs `read`, and their places in `read`."""
        start = output * self.stride - self.before
        first = max(start, read.start)
        last = max(first, min(start + self.extent, read.stop))
        return slice(first - start, last - start), slice(first - read.start, last - read.start)

    def after_axis(self, first: Axis) -> tuple[Axis, list[list[int | None]]]:
        """Composes this axis with `first`, which is applied before it.

        The second result has an entry per class of the composed axis: for each tap of this axis the class of
        `first` that the tap reads, or None where it reads the padding between the two.
        """
        kinds: list[tuple[int, tuple[int | None, ...]]] = []
        for i, own in enumerate(self.classes):
            positions = (i * self.stride - self.before + tap for tap in range(self.extent))
            taps = tuple(first.classes[m] if 0 <= m < first.out_size else None for m in positions)
            kinds.append((own, taps))
        distinct, classes = _numbered(kinds)
        joined = Axis(
            first.in_size,
            self.out_size,
            self.stride * first.stride,
            self.before * first.stride + first.before,
            (self.extent - 1) * first.stride + first.extent,
            classes,
        )
        return joined, [list(taps) for _, taps in distinct]

    def own_class(self, of: Axis) -> list[int]:
        """Maps each class of `of`, an axis that refines this one, to the class of this axis."""
        return [self.classes[of.representative(kind)] for kind in range(of.class_count)]

    def joined(self, other: Axis) -> Axis:
        """Makes the axis of a sum: its windows cover both windows and its classes refine both.

        Raises:
            ValueError: the sizes differ, or the strides differ although there is more than one output.
        """
        if (self.in_size, self.out_size) != (other.in_size, other.out_size) or (
            self.out_size > 1 and self.stride != other.stride
        ):
            raise ValueError("maps of other sizes or strides cannot be summed")
        _, classes = _numbered(list(zip(self.classes, other.classes, strict=True)))
        before = max(self.before, other.before)
        extent = before + max(self.extent - self.before, other.extent - other.before)
        return Axis(self.in_size, self.out_size, self.stride, before, extent, classes)

    def trimmed(self) -> tuple[Axis, int]:
        """Removes the taps that only ever read zeros. Also returns the number of taps removed in front."""
        front = max(0, self.before - (self.out_size - 1) * self.stride)
        last = self.in_size + self.before  # the first output alone can read this far: i = 0
        extent = min(self.extent, last)
        front = min(front, extent - 1)
        return replace(self, before=self.before - front, extent=extent - front), front


@dataclass(frozen=True, slots=True)
class MapShape:
    """The sizes of a `LinearMap` without its weights; costs depend on these alone.

    >>> rows = Axis.of(6, 6, 1, 1, 3)
    >>> one = MapShape(rows, rows, out_channels=4, in_channels=4)
    >>> two = one.after(one)
    >>> two.rows.extent, two.rows.class_count  # one class inside, one per border row
    (5, 3)
    """

    rows: Axis
    columns: Axis
    out_channels: int
    in_channels: int

    def after(self, first: MapShape) -> MapShape:
        """Returns the shape of this map applied to the result of `first`."""
        rows, columns = self.rows.after_axis(first.rows)[0], self.columns.after_axis(first.columns)[0]
        return MapShape(rows.trimmed()[0], columns.trimmed()[0], self.out_channels, first.in_channels)

    def plus(self, other: MapShape) -> MapShape:
        """Returns the shape of the sum of two maps."""
        rows, columns = self.rows.joined(other.rows), self.columns.joined(other.columns)
        return replace(self, rows=rows, columns=columns)


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A linear map between feature maps whose kernel depends on the class of the position.

    Attributes:
        kernel: float64 (row classes, column classes, out, in, extent of rows, extent of columns).
        bias: float64 (row classes, column classes, out).

    >>> rows = Axis.of(6, 6, 1, 1, 3)
    >>> blur = LinearMap.convolution(np.full((1, 1, 3, 3), 1 / 9), rows, rows)
    >>> x = np.random.default_rng(0).normal(size=(1, 6, 6))
    >>> np.allclose(blur.after(blur).apply(x), blur.apply(blur.apply(x)))  # at the borders too
    True
    """

    rows: Axis
    columns: Axis
    kernel: np.ndarray
    bias: np.ndarray

    @classmethod
    def convolution(
        cls, weight: np.ndarray, rows: Axis, columns: Axis, bias: np.ndarray | None = None
    ) -> Self:
        """Makes the map of a convolution.

        Args:
            weight: float64 (out, in, kh, kw).
            bias: float64 (out,); None for a bias of 0.
        """
        bias = np.zeros(len(weight)) if bias is None else bias
        return cls(rows, columns, weight[None, None], bias[None, None])

    @property
    def shape(self) -> MapShape:
        """The sizes of this map without its weights."""
        return MapShape(self.rows, self.columns, self.out_channels, self.in_channels)

    @property
    def out_channels(self) -> int:
        """The number of output channels."""
        return int(self.kernel.shape[2])

    @property
    def in_channels(self) -> int:
        """The number of input channels."""
        return int(self.kernel.shape[3])

    def normalized(self, gain: np.ndarray, shift: np.ndarray) -> LinearMap:
        """Multiplies the output channels by `gain` (out,) and adds `shift` (out,)."""
        return replace(self, kernel=self.kernel * gain[:, None, None, None], bias=self.bias * gain + shift)

    def unbiased(self) -> LinearMap:
        """Returns the same map with a bias of zero."""
        return replace(self, bias=np.zeros_like(self.bias))

    def after(self, first: LinearMap) -> LinearMap:
        """Composes this map with `first`, which is applied before it."""
        rows, row_taps = self.rows.after_axis(first.rows)
        columns, column_taps = self.columns.after_axis(first.columns)
        own_rows, own_columns = self.rows.own_class(rows), self.columns.own_class(columns)
        shape = (len(row_taps), len(column_taps), self.out_channels, first.in_channels)
        row_readers, column_readers = readers_of(own_rows, row_taps), readers_of(own_columns, column_taps)
        kernel = composed_kernel(
            self.kernel,
            first.kernel,
            (first.rows.stride, first.columns.stride),
            row_readers,
            column_readers,
            (*shape, rows.extent, columns.extent),
        )
        bias = self.bias[np.ix_(own_rows, own_columns)].copy()
        if first.bias.any():
            # (row classes, column classes, out, row taps, column taps, row classes of first, column classes)
            shifts = np.tensordot(self.kernel, first.bias, axes=(3, 2))
            for ((own_row, k, a), of_rows), ((own_column, m, b), of_columns) in itertools.product(
                row_readers.items(), column_readers.items()
            ):
                bias[np.ix_(of_rows, of_columns)] += shifts[own_row, own_column, :, k, m, a, b]
        return LinearMap(rows, columns, kernel, bias).trimmed()

    def plus(self, other: LinearMap) -> LinearMap:
        """Adds two maps of equal sizes.

        Raises:
            ValueError: their sizes or strides differ.
        """
        rows, columns = self.rows.joined(other.rows), self.columns.joined(other.columns)
        shape = (rows.class_count, columns.class_count, self.out_channels, self.in_channels)
        # With the strides of a part, so that both are walked in the order of memory.
        kernel = np.zeros_like(self.kernel, shape=(*shape, rows.extent, columns.extent))
        bias = np.zeros(shape[:3])
        for part in (self, other):
            top, left = rows.before - part.rows.before, columns.before - part.columns.before
            own_rows, own_columns = part.rows.own_class(rows), part.columns.own_class(columns)
            window = kernel[..., top : top + part.rows.extent, left : left + part.columns.extent]
            for r, s in np.ndindex(shape[:2]):
                window[r, s] += part.kernel[own_rows[r], own_columns[s]]
            bias += part.bias[np.ix_(own_rows, own_columns)]
        return LinearMap(rows, columns, kernel, bias)

    def trimmed(self) -> LinearMap:
        """Cuts the taps that only ever read zeros."""
        rows, top = self.rows.trimmed()
        columns, left = self.columns.trimmed()
        kernel = self.kernel[..., top : top + rows.extent, left : left + columns.extent]
        return LinearMap(rows, columns, kernel, self.bias)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Computes the map of x (in, h, w) by its definition, position by position: float64 (out, oh, ow)."""
        rows, columns = self.rows, self.columns
        padded = np.pad(x, ((0, 0), (rows.before, rows.after), (columns.before, columns.after)))
        out = np.zeros((self.out_channels, rows.out_size, columns.out_size))
        for i, j in np.ndindex(out.shape[1:]):
            top, left = i * rows.stride, j * columns.stride
            window = padded[:, top : top + rows.extent, left : left + columns.extent]
            kernel = self.kernel[rows.classes[i], columns.classes[j]]
            out[:, i, j] = np.tensordot(kernel[..., : window.shape[1], : window.shape[2]], window, axes=3)
            out[:, i, j] += self.bias[rows.classes[i], columns.classes[j]]
        return out

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Writes the map as a fully connected layer over flattened maps.

        Returns the weights, float64 (out * oh * ow, in * h * w), and the bias (out * oh * ow,).
        """
        rows, columns = self.rows, self.columns
        shape = (self.out_channels, rows.out_size, columns.out_size)
        matrix = np.zeros((*shape, self.in_channels, rows.in_size, columns.in_size))
        for i, j in np.ndindex(shape[1:]):
            own_down, down = rows.taps(i, range(rows.in_size))
            own_across, across = columns.taps(j, range(columns.in_size))
            kernel = self.kernel[rows.classes[i], columns.classes[j]]
            matrix[:, i, j, :, down, across] = kernel[:, :, own_down, own_across]
        bias = self.bias[np.ix_(rows.classes, columns.classes)].transpose(2, 0, 1)
        return matrix.reshape(bias.size, -1), bias.reshape(-1)


def _numbered(kinds: Sequence[Kind]) -> tuple[list[Kind], tuple[int, ...]]:
    """Lists the distinct kinds in the order in which they come, and the number of each one."""
    numbers: dict[Kind, int] = {}
    classes = tuple(numbers.setdefault(kind, len(numbers)) for kind in kinds)
    return list(numbers), classes
