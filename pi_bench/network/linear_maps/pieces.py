"""Layers that together compute a linear map with borders: one fully connected layer, or convolutions.

The kernel of the inside runs over the whole input as a convolution. Smaller convolutions read a strip along
a border, or the patch in a corner, and correct the rows, columns or pixels next to it:

    y = inside(x) + top + bottom + left + right + corners.

The layer of a strip has one output channel per channel and border row, so its result is a pixel shuffle
of the correction (`block`), placed at `origin`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pi_bench.network.linear_maps.linear_map import Axis, LinearMap
from pi_bench.shape import Pair

_MAX_DENSE_WEIGHTS = 1 << 26


@dataclass(frozen=True, slots=True)
class Piece:
    """One layer of a linear map; `rows` and `columns` are the inputs that it reads.

    Its output (out * block rows * block columns, oh, ow) is shuffled to (out, oh * block rows,
    ow * block columns), whose first pixel is placed at `origin`. A dense piece reads and writes flat maps.

    >>> rows = Axis.of(4, 4, 1, 1, 3)
    >>> convolution, dense = (pieces[0] for pieces in pieces_of(rows, rows, out_channels=2, in_channels=1))
    >>> convolution.mac_count, dense.mac_count
    (288, 512)
    """

    kind: str  # "dense", "conv", "row border", "column border", "corner"
    rows: range
    columns: range
    kernel: Pair
    stride: Pair
    padding: tuple[int, int, int, int]  # top, bottom, left, right
    in_channels: int
    out_channels: int  # of the layer: times the block
    out_size: Pair
    block: Pair
    origin: Pair

    @property
    def mac_count(self) -> int:
        """The multiply-accumulates of one application to one sample."""
        taps = self.kernel[0] * self.kernel[1]
        return self.in_channels * taps * self.out_channels * self.out_size[0] * self.out_size[1]


def pieces_of(rows: Axis, columns: Axis, out_channels: int, in_channels: int) -> Iterator[tuple[Piece, ...]]:
    """Yields the ways to compute a map by layers: convolutions, and one dense layer if it is not too large.

    >>> rows = Axis.of(8, 8, 1, 1, 3)
    >>> twice, _ = rows.after_axis(rows)
    >>> [piece.kind for piece in next(pieces_of(twice, rows, 1, 1))]
    ['conv', 'row border', 'row border']
    """
    yield tuple(_convolutions(rows, columns, out_channels, in_channels))
    outputs = rows.out_size * columns.out_size
    if in_channels * rows.in_size * columns.in_size * out_channels * outputs <= _MAX_DENSE_WEIGHTS:
        yield (
            _patch(
                "dense",
                rows,
                columns,
                range(rows.out_size),
                range(columns.out_size),
                out_channels,
                in_channels,
            ),
        )


def _convolutions(rows: Axis, columns: Axis, out_channels: int, in_channels: int) -> Iterator[Piece]:
    whole = rows.read_by(range(rows.out_size)), columns.read_by(range(columns.out_size))
    whole = range(whole[0].stop), range(whole[1].stop)  # zeros in front are padding from the first on
    sizes = (rows.out_size, columns.out_size)
    stride = (rows.stride, columns.stride)
    yield Piece(
        "conv", *whole, (rows.extent, columns.extent), stride,
        (rows.before, rows.after, columns.before, columns.after),
        in_channels, out_channels, sizes, (1, 1), (0, 0),
    )  # fmt: skip
    for border in rows.borders:
        read = rows.read_by(border)
        yield Piece(
            "row border", read, whole[1], (len(read), columns.extent), (1, columns.stride),
            (0, 0, columns.before, columns.after),
            in_channels, out_channels * len(border), (1, sizes[1]), (len(border), 1), (border.start, 0),
        )  # fmt: skip
    for border in columns.borders:
        read = columns.read_by(border)
        yield Piece(
            "column border", whole[0], read, (rows.extent, len(read)), (rows.stride, 1),
            (rows.before, rows.after, 0, 0),
            in_channels, out_channels * len(border), (sizes[0], 1), (1, len(border)), (0, border.start),
        )  # fmt: skip
    for high in rows.borders:
        for wide in columns.borders:
            yield _patch("corner", rows, columns, high, wide, out_channels, in_channels)


def _patch(
    kind: str, rows: Axis, columns: Axis, high: range, wide: range, out_channels: int, in_channels: int
) -> Piece:
    """Makes a layer whose kernel covers all inputs of some outputs, with one output channel per output."""
    read = rows.read_by(high), columns.read_by(wide)
    block = (len(high), len(wide))
    return Piece(
        kind, *read, (len(read[0]), len(read[1])), (1, 1), (0, 0, 0, 0),
        in_channels, out_channels * block[0] * block[1], (1, 1), block, (high.start, wide.start),
    )  # fmt: skip


def weights_of(piece: Piece, whole: LinearMap) -> tuple[np.ndarray, np.ndarray]:
    """Computes the weights of a piece of the map `whole`: float64 (out, in, kh, kw), and the bias (out,).

    >>> rows = Axis.of(4, 4, 1, 1, 3)
    >>> whole = LinearMap.convolution(np.ones((2, 1, 3, 3)), rows, rows)
    >>> convolution, dense = (pieces[0] for pieces in pieces_of(rows, rows, 2, 1))
    >>> weights_of(convolution, whole)[0].shape, weights_of(dense, whole)[0].shape
    ((2, 1, 3, 3), (32, 1, 4, 4))
    """
    rows, columns = whole.rows, whole.columns
    inside = rows.classes[rows.inside.start], columns.classes[columns.inside.start]
    if piece.kind == "conv":
        return whole.kernel[inside], whole.bias[inside]
    shape = (whole.out_channels, *piece.block)
    weight = np.zeros((*shape, whole.in_channels, *piece.kernel))
    bias = np.zeros(shape)
    for a, b in np.ndindex(piece.block):
        i, j = piece.origin[0] + a, piece.origin[1] + b
        kernel, constant = _difference(piece.kind, whole, rows.classes[i], columns.classes[j], inside)
        own_down = down = own_across = across = slice(None)
        if piece.kind != "column border":
            own_down, down = rows.taps(i, piece.rows)
        if piece.kind != "row border":
            own_across, across = columns.taps(j, piece.columns)
        weight[:, a, b][:, :, down, across] = kernel[:, :, own_down, own_across]
        bias[:, a, b] = constant
    return weight.reshape(-1, whole.in_channels, *piece.kernel), bias.reshape(-1)


def _difference(
    kind: str, whole: LinearMap, row: int, column: int, inside: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the part of a border that the other pieces do not cover."""

    def of(values: np.ndarray) -> np.ndarray:
        found: np.ndarray = values[row, column]
        if kind == "row border":
            found = values[row, inside[1]] - values[inside]
        elif kind == "column border":
            found = values[inside[0], column] - values[inside]
        elif kind == "corner":
            found = found - values[row, inside[1]] - values[inside[0], column] + values[inside]
        return found

    return of(whole.kernel), of(whole.bias)
