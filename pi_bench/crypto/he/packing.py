"""Packs the tensors of a linear operator into polynomials: coefficient packing.

Huang, Lu, Hong, Ding, "Cheetah: Lean and Fast Secure Two-Party Deep Neural Network Inference", USENIX
Security 2022, section 3.1. A channel of the input is a block of P coefficients, row after row, and C channels
lie in one polynomial; a weight polynomial holds M output channels, C * P apart. Weight (a, b, k, l) of local
output channel a and input channel b lies at the exponent

    a C P - (b P + (k - top) width + (l - left)),        k and l times the dilation,

so output (a, i, j) appears at a C P + (i width + j) stride, and nothing else does if M C P <= N.

Deviation from the paper: padding is shared. A row ends with max(left, right) zeros, which are also the left
padding of the next row; a channel ends with max(top, bottom) rows of zeros, which are also the top padding of
the next one. A read before the first coefficient meets the tail of the polynomial, negated: zeros. An image
too large for one polynomial is divided into bands of output rows, whose input rows overlap; each image of a
batch and each band is a tile of its own. A block of kernels of one tap is rounded up to a power of two, so
that the transforms of their weights are short (layout.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pi_bench.crypto.he import parameters
from pi_bench.crypto.he.layout import Geometry, Layout, LinearShape
from pi_bench.crypto.he.parameters import DEGREE
from pi_bench.errors import ModelError
from pi_bench.shape import Shape

_MAX_WIRE_BYTES = 1 << 32
"""Bounds one operator: shapes come from the peer, and small ones can need a polynomial per output row."""


@dataclass(frozen=True)
class LinearPlan:
    """Holds the packing of one linear operator, from its public shapes alone.

    Tiles are ordered [image][band]; in a message, the polynomials of a tile are adjacent. |w| is below
    2**(weight_bits - 1).

    >>> plan = LinearPlan.of(LinearShape("dense", (1, 512), (1, 10)), weight_bits=8)
    >>> plan.tile_count, plan.product_count, plan.released_count
    (1, 1, 10)
    >>> plan.upload_bytes, plan.response_bytes
    (153616, 51263)
    """

    name: str
    in_shape: Shape
    out_shape: Shape
    weight_shape: Shape
    weight_bits: int  # |w| < 2**(weight_bits - 1)
    geometry: Geometry
    layout: Layout
    tile_count: int
    in_poly_count: int  # per tile
    out_poly_count: int  # per tile

    @classmethod
    def of(cls, shape: LinearShape, weight_bits: int) -> LinearPlan:
        """Chooses the layout with the fewest bytes on the wire, for weights |w| < 2**(weight_bits - 1).

        Raises:
            ModelError: the rows that one output row reads do not fit into a polynomial, too many polynomials
            would
                be summed or sent, or the noise of the worst weights of this shape would be too large.
        """
        if not 2 <= weight_bits <= 16:
            raise ModelError(
                f"{shape.name}: {weight_bits} bits of weights (--weight-bits): 2 to 16 are possible"
            )
        geometry = Geometry.of(shape)
        name = shape.name
        candidates = list(Layout.candidates(geometry))
        if not candidates:
            raise ModelError(
                f"{name}: one output row reads {geometry.extent[0]} rows of {geometry.width} columns, which "
                f"do not fit into a polynomial of {DEGREE} coefficients; use a smaller input"
            )
        limit = parameters.MAX_INPUT_POLYS
        summable = [candidate for candidate in candidates if candidate.counts(geometry)[1] <= limit]
        if not summable:
            raise ModelError(
                f"{name}: more than {limit} input polynomials would be summed; use a smaller input or fewer "
                "channels"
            )
        layout = min(summable, key=lambda candidate: candidate.cost(geometry))
        tiles, in_polys, out_polys = layout.counts(geometry)
        taps = geometry.kernel[0] * geometry.kernel[1]
        weight_sum = layout.out_block * geometry.in_channels * taps * ((1 << (weight_bits - 1)) - 1)
        plan = cls(
            name=name,
            in_shape=shape.in_shape,
            out_shape=shape.out_shape,
            weight_shape=shape.weight_shape,
            weight_bits=weight_bits,
            geometry=geometry,
            layout=layout,
            tile_count=tiles,
            in_poly_count=in_polys,
            out_poly_count=out_polys,
        )
        parameters.require_noise(weight_sum, plan.released_count, name)
        wire_bytes, _ = layout.cost(geometry)
        if wire_bytes > _MAX_WIRE_BYTES:
            raise ModelError(
                f"{name}: its polynomials take {wire_bytes >> 20} MiB, at most {_MAX_WIRE_BYTES >> 20} are "
                "allowed; use a smaller batch or input"
            )
        return plan

    @property
    def product_count(self) -> int:
        """Products of a ciphertext and a weight polynomial."""
        return self.tile_count * self.in_poly_count * self.out_poly_count

    @property
    def released_count(self) -> int:
        """Coefficients that the responses release: one per output."""
        g = self.geometry
        return g.batch * g.out_channels * g.out_height * g.out_width

    @property
    def upload_bytes(self) -> int:
        """Bytes from the client to the server."""
        return self.tile_count * self.in_poly_count * parameters.CIPHERTEXT_BYTES

    @cached_property
    def response_bytes(self) -> int:
        """Bytes from the server to the client."""
        return self.response_bytes_of(self.starts)

    @staticmethod
    def response_bytes_of(starts: np.ndarray) -> int:
        """Returns the size of the response polynomials whose released coefficients begin at `starts`."""
        return sum(parameters.released_bytes(int(count)) for count in np.diff(starts))

    @property
    def weight_extents(self) -> tuple[int, int, int]:
        """The extents (out, in, taps)."""
        g = self.geometry
        return g.out_channels, g.in_channels, g.kernel[0] * g.kernel[1]

    @property
    def run(self) -> int:
        """Transformed coefficients over which a weight polynomial is constant; 1 if nothing is known."""
        return self.layout.run(self.geometry)

    @cached_property
    def exponents(self) -> np.ndarray:
        """The weights' exponents, uint16 (out_block, in_block, taps); DEGREE + e means minus X**e."""
        g, layout = self.geometry, self.layout
        a, b, k, l = np.ogrid[: layout.out_block, : layout.in_block, : g.kernel[0], : g.kernel[1]]  # noqa: E741
        down, across = g.dilation
        read = b * layout.block + (k * down - layout.top) * layout.row + (l * across - g.left)
        exponents: np.ndarray = (a * layout.in_block * layout.block - read) % (2 * DEGREE)
        return exponents.astype(np.uint16).reshape(layout.out_block, layout.in_block, -1)

    def _bands(self) -> Iterator[tuple[int, int]]:
        for first in range(0, self.geometry.out_height, self.layout.band_rows):
            yield first, min(first + self.layout.band_rows, self.geometry.out_height)

    def pack_input(self, tensor: np.ndarray) -> np.ndarray:
        """Packs uint32 in_shape into uint32 (tiles, in_polys, DEGREE): the messages to encrypt."""
        g, layout = self.geometry, self.layout
        image = tensor.reshape(g.batch, g.in_channels, *self.in_shape[2:] or (1, 1))
        image = image[:, :, :: g.subsample[0], :: g.subsample[1]][:, :, : g.height, : g.width]
        rows = layout.block // layout.row
        out = np.zeros((self.tile_count, self.in_poly_count, DEGREE), np.uint32)
        used = layout.in_block * layout.block
        channels = self.in_poly_count * layout.in_block
        padded = np.zeros((self.tile_count, channels, layout.block), np.uint32)
        blocks = padded[:, :, : rows * layout.row].reshape(self.tile_count, channels, rows, layout.row)
        assert np.shares_memory(blocks, padded)
        band_count = self.tile_count // g.batch
        for band, (first_out, _) in enumerate(self._bands()):
            first = first_out * g.stride[0] - (g.top - layout.top)  # input row at the block's row 0
            begin, end = max(first, 0), min(first + rows, g.height)
            if begin < end:
                target = blocks[band::band_count, : g.in_channels, begin - first : end - first, : g.width]
                target[...] = image[:, :, begin:end]
        out[:, :, :used] = padded.reshape(self.tile_count, self.in_poly_count, used)
        return out

    @cached_property
    def _released(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        g, layout = self.geometry, self.layout
        flat = np.arange(self.released_count, dtype=np.int64)
        elements = flat.reshape(g.batch, g.out_channels, g.out_height, g.out_width)
        spread = layout.in_block * layout.block
        index: list[np.ndarray] = []
        positions: list[np.ndarray] = []
        for image in range(g.batch):
            for first_row, end_row in self._bands():
                for first in range(0, g.out_channels, layout.out_block):
                    part = elements[image, first : first + layout.out_block, first_row:end_row]
                    a, i, j = np.ogrid[: part.shape[0], : part.shape[1], : part.shape[2]]
                    at = a * spread + i * g.stride[0] * layout.row + j * g.stride[1]
                    index.append(part.ravel())
                    positions.append(at.astype(np.uint16).ravel())
        starts = np.cumsum([0, *(len(part) for part in index)]).astype(np.uint64)
        return np.concatenate(index), np.concatenate(positions), starts

    @property
    def out_index(self) -> np.ndarray:
        """The flat positions in the output, int64 (released_count,), in the order of the response."""
        return self._released[0]

    @property
    def positions(self) -> np.ndarray:
        """The released coefficients, uint16 (released_count,), in the order of the response."""
        return self._released[1]

    @property
    def starts(self) -> np.ndarray:
        """The place in `positions` where each response polynomial starts, uint64 (tiles * out_polys + 1,)."""
        return self._released[2]
