"""Lists the candidates for packing a convolution into polynomials, with their costs.

packing.py describes the method and names its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pi_bench import _native
from pi_bench.crypto.he import parameters
from pi_bench.crypto.he.parameters import DEGREE
from pi_bench.shape import Shape

MIN_RUN: int = _native.he.MIN_RUN


@dataclass(frozen=True, slots=True)
class LinearShape:
    """Describes a convolution, or a fully connected layer if the shapes have no rows and columns.

    >>> LinearShape("conv1", (1, 3, 9, 9), (1, 16, 7, 7), kernel=(3, 3)).weight_shape
    (16, 3, 3, 3)
    >>> LinearShape("dense", (1, 512), (1, 10)).weight_shape
    (10, 512)
    """

    name: str  # in errors
    in_shape: Shape  # (batch, in, h, w) or (batch, in)
    out_shape: Shape  # (batch, out, oh, ow) or (batch, out)
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, bottom, left, right
    dilation: tuple[int, int] = (1, 1)

    @property
    def weight_shape(self) -> Shape:
        """The shape (out, in, kh, kw) or (out, in)."""
        taps = self.kernel if len(self.in_shape) == 4 else ()
        return (self.out_shape[1], self.in_shape[1], *taps)


@dataclass(frozen=True)
class Geometry:
    """Describes one convolution in a normal form.

    A 1x1 convolution without padding has stride 1, because the input is subsampled first. Rows and columns
    that no window reads are dropped.

    >>> geometry = Geometry.of(LinearShape("skip", (1, 3, 32, 32), (1, 16, 16, 16), stride=(2, 2)))
    >>> geometry.height, geometry.stride, geometry.subsample
    (16, (1, 1), (2, 2))
    """

    batch: int
    in_channels: int
    out_channels: int
    height: int  # of the input after subsampling and dropping
    width: int
    kernel: tuple[int, int]
    dilation: tuple[int, int]
    extent: tuple[int, int]  # rows and columns from the first that a window reads to the last
    stride: tuple[int, int]
    subsample: tuple[int, int]
    out_height: int
    out_width: int
    top: int
    bottom: int
    left: int
    right: int

    @property
    def is_pointwise(self) -> bool:
        """Whether the kernel has one tap and reads the input without stride or padding."""
        return self.kernel == self.stride == (1, 1) and self.top == self.left == 0

    @classmethod
    def of(cls, shape: LinearShape) -> Geometry:
        """Brings `shape` into the normal form."""
        batch, in_channels, height, width = (*shape.in_shape, 1, 1)[:4]
        _, out_channels, out_height, out_width = (*shape.out_shape, 1, 1)[:4]
        top, _, left, _ = shape.padding
        kernel, stride, subsample = shape.kernel, shape.stride, (1, 1)
        if kernel == (1, 1) and not any(shape.padding):
            subsample, stride = stride, (1, 1)
            height, width = -(-height // subsample[0]), -(-width // subsample[1])
        rows, columns = ((taps - 1) * step + 1 for taps, step in zip(kernel, shape.dilation, strict=True))
        bottom = (out_height - 1) * stride[0] + rows - top - height
        right = (out_width - 1) * stride[1] + columns - left - width
        return cls(
            batch, in_channels, out_channels, height + min(bottom, 0), width + min(right, 0), kernel,
            shape.dilation, (rows, columns), stride, subsample, out_height, out_width, top, max(bottom, 0),
            left, max(right, 0),
        )  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """Holds a candidate: C = `in_block`, M = `out_block`, P = `block`, and the bands of output rows.

    If no kernel slides, every weight lies at a multiple of P. With P a power of two, such a weight polynomial
    has equal values over runs of P transformed coefficients: a transform of N / P words gives it, and a
    product reads one word per run. So a block of 1x1 kernels is rounded up to a power of two.

    >>> geometry = Geometry.of(LinearShape("conv", (1, 3, 8, 8), (1, 4, 6, 6), kernel=(3, 3)))
    >>> best = min(Layout.candidates(geometry), key=lambda layout: layout.cost(geometry))
    >>> best.in_block, best.block, best.counts(geometry)
    (3, 64, (1, 1, 1))
    """

    in_block: int
    out_block: int
    block: int  # coefficients between two channels of a polynomial
    row: int  # coefficients between two rows
    top: int  # rows of padding that are shared, not stored
    band_rows: int  # output rows of a band; the last band may have fewer

    @staticmethod
    def candidates(geometry: Geometry) -> Iterator[Layout]:
        """Yields the layouts that fit into a polynomial."""
        row = geometry.width + max(geometry.left, geometry.right)
        whole = geometry.height + max(geometry.top, geometry.bottom)
        fitting = max((DEGREE // row - geometry.extent[0]) // geometry.stride[0] + 1, 0)
        bands = range(min(geometry.out_height - 1, fitting), 0, -1)
        for band_rows in (geometry.out_height, *bands):
            rows = (band_rows - 1) * geometry.stride[0] + geometry.extent[0]
            top = 0
            if band_rows == geometry.out_height and whole < rows:
                rows, top = whole, geometry.top
            block = rows * row
            if geometry.is_pointwise and block > MIN_RUN // 2:
                block = 1 << (block - 1).bit_length()
            block_count = DEGREE // block
            for in_block in range(1, min(block_count, geometry.in_channels) + 1):
                out_block = min(block_count // in_block, geometry.out_channels)
                yield Layout(in_block, out_block, block, row, top, band_rows)

    def run(self, geometry: Geometry) -> int:
        """Returns over how many transformed coefficients a weight polynomial is constant: P, or 1."""
        return self.block if geometry.is_pointwise and self.block >= MIN_RUN else 1

    def counts(self, geometry: Geometry) -> tuple[int, int, int]:
        """Returns the tiles, the input polynomials per tile, and the output polynomials per tile."""
        bands = -(-geometry.out_height // self.band_rows)
        return (
            geometry.batch * bands,
            -(-geometry.in_channels // self.in_block),
            -(-geometry.out_channels // self.out_block),
        )

    def cost(self, geometry: Geometry) -> tuple[int, int]:
        """Returns the bytes on the wire without the released coefficients, then the products."""
        tiles, in_polys, out_polys = self.counts(geometry)
        size = in_polys * parameters.CIPHERTEXT_BYTES + out_polys * parameters.PACKED_POLY_BYTES
        return tiles * size, tiles * in_polys * out_polys
