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
too large for one polynomial is divided into bands of output rows, whose input rows overlap. A block of
kernels of one tap is rounded up to a power of two, so that the transforms of their weights are short
(layout.py).

I images of a batch share a polynomial where that is cheaper. They lie C P apart, as further channels would,
and the output channels of a weight polynomial lie I C P apart. So output (a, i, j) of image n appears at
(a I + n) C P + (i width + j) stride, and nothing else does if I M C P <= N. A band of such a group of images
is a tile. With M and C smaller by the root of I than for one image, an image takes about 1 / sqrt(I) of the
polynomials, and as many products.

Joined answers need outputs at multiples of a power of two. For them, `slots` channels lie side by side, so
that an exponent is multiplied by `slots` and the channel's place is added (Layout). A stride becomes channels
of their own (Geometry.folded). Product polynomial n of an answer is moved up by `join_slot(n)`, which is n
with its bits in reverse order (native/he/join.h).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pi_bench.crypto.he import parameters
from pi_bench.crypto.he.geometry import Geometry, LinearShape
from pi_bench.crypto.he.layout import HE_PLANS, Layout, best_layout, join_count
from pi_bench.crypto.he.parameters import DEGREE, WeightBound
from pi_bench.errors import ModelError
from pi_bench.shape import Shape


@dataclass(frozen=True)
class LinearPlan:
    """Holds the packing of one linear operator, from its public shapes alone.

    Tiles are ordered [group of images][band]; in a message, the polynomials of a tile are adjacent. |w| is
    below 2**(weight_bits - 1).

    >>> plan = LinearPlan.of(LinearShape("dense", (1, 512), (1, 10)), weight_bits=8)
    >>> plan.tile_count, plan.product_count, plan.released_count
    (1, 1, 10)
    >>> plan.upload_bytes, plan.response_bytes
    (153616, 51263)

    With copies and joined answers, several products make one output polynomial and several of these one
    answer:

    >>> plan = LinearPlan.of(LinearShape("dense", (1, 512), (1, 100)), 8, objective="bytes")
    >>> plan.out_poly_count, plan.answer_count, plan.join_count
    (2, 1, 1)
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
    def of(cls, shape: LinearShape, weight_bits: int, objective: str = HE_PLANS[0]) -> LinearPlan:
        """Chooses the cheapest layout by a public `objective`, for weights |w| < 2**(weight_bits - 1).

        Args:
            objective: one of `HE_PLANS`.

        Raises:
            ModelError: the rows that one output row reads do not fit into a polynomial, too many polynomials
            would be summed or sent, or the noise of the worst weights of this shape would be too large.
        """
        geometry = Geometry.of(shape)
        name = shape.name
        layout = best_layout(geometry, objective)
        if layout is None and next(Layout.candidates(geometry), None) is None:
            raise ModelError(
                f"{name}: one output row reads {geometry.extent[0]} rows of {geometry.width} columns, which "
                f"do not fit into a polynomial of {DEGREE} coefficients; use a smaller input"
            )
        if layout is None:
            raise _too_many_summed(name)
        return cls.with_layout(shape, weight_bits, layout)

    @classmethod
    def with_layout(cls, shape: LinearShape, weight_bits: int, layout: Layout) -> LinearPlan:
        """Makes a plan with one of the `Layout.candidates`, whatever it costs.

        >>> shape = LinearShape("dense", (1, 512), (1, 100))
        >>> layout = next(Layout.candidates(Geometry.of(shape)))
        >>> LinearPlan.with_layout(shape, 8, layout).out_poly_count
        7

        Raises:
            ModelError: too many polynomials would be summed or sent, or the noise of the worst weights of
            this shape would be too large.
        """
        if not 2 <= weight_bits <= 16:
            raise ModelError(
                f"{shape.name}: {weight_bits} bits of weights (--weight-bits): 2 to 16 are possible"
            )
        geometry, name = Geometry.of(shape), shape.name
        if layout.folded:
            geometry = geometry.folded()
        if layout.operand_count(geometry) > parameters.MAX_INPUT_POLYS:
            raise _too_many_summed(name)
        tiles, in_polys, out_polys = layout.counts(geometry)
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
        weights = plan.weight_bound
        parameters.require_noise(weights, plan.released_count, name)
        parameters.require_join(layout.per_answer, weights, name)
        wire_bytes = layout.wire_bytes(geometry)
        if wire_bytes > parameters.MAX_WIRE_BYTES:
            raise ModelError(
                f"{name}: its polynomials take {wire_bytes >> 20} MiB, at most "
                f"{parameters.MAX_WIRE_BYTES >> 20} are allowed; use a smaller batch or input, or fewer "
                "inferences --ahead"
            )
        return plan

    @property
    def product_count(self) -> int:
        """Products of a ciphertext and a weight polynomial."""
        return self.tile_count * self.operand_count * self.out_poly_count

    @property
    def computing_ns(self) -> int:
        """The public price of computing the product at both parties, in nanoseconds."""
        return self.layout.computing_ns(self.geometry)

    @property
    def copy_count(self) -> int:
        """Copies of input polynomials under automorphisms."""
        return self.tile_count * self.in_poly_count * (self.layout.copies - 1)

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
        return self.response_bytes_of(self.answer_starts)

    @staticmethod
    def response_bytes_of(starts: np.ndarray) -> int:
        """Returns the size of the answers whose released coefficients begin at `starts`."""
        return sum(parameters.released_bytes(int(count)) for count in np.diff(starts))

    @property
    def answer_count(self) -> int:
        """Ciphertexts from the server to the client."""
        return -(-self.tile_count * self.out_poly_count // self.layout.per_answer)

    @property
    def join_count(self) -> int:
        """Key switches that join the output polynomials."""
        return join_count(self.tile_count * self.out_poly_count, self.layout.per_answer)

    @property
    def weight_extents(self) -> tuple[int, int, int]:
        """The extents (out, in, taps)."""
        g = self.geometry
        return g.out_channels, g.in_channels, g.kernel[0] * g.kernel[1]

    @property
    def copies(self) -> tuple[int, int]:
        """The copies of each input polynomial, and how far apart they put products (native/he/copies.h)."""
        return self.layout.copies, self.layout.per_answer

    @property
    def operand_count(self) -> int:
        """Polynomials that one output polynomial multiplies: every copy of a tile's input polynomials."""
        return self.layout.operand_count(self.geometry)

    @property
    def weight_bound(self) -> WeightBound:
        """The bound on the weights, for the worst weights of the shape."""
        taps = self.geometry.kernel[0] * self.geometry.kernel[1]
        meeting = 1
        if self.layout.copies > 1:
            meeting = int(np.bincount(self.exponents.ravel() % DEGREE).max())
        return WeightBound(
            self.layout.out_block * self.geometry.in_channels * taps,
            (1 << (self.weight_bits - 1)) - 1,
            meeting,
            self.layout.copies,
        )

    @property
    def run(self) -> int:
        """Transformed coefficients over which a weight polynomial is constant; 1 if nothing is known."""
        return self.layout.run(self.geometry)

    @cached_property
    def exponents(self) -> np.ndarray:
        """The weights' exponents, uint16 (out_block, in_block, taps); DEGREE + e means minus X**e."""
        g, layout = self.geometry, self.layout
        rows, columns = g.taps(0), g.taps(1)
        a = np.arange(layout.out_block).reshape(-1, 1, 1, 1)
        b = np.arange(layout.in_block).reshape(-1, 1, 1)
        channel = b * g.phases + rows[:, 1].reshape(-1, 1) * g.fold[1] + columns[:, 1]
        high, low = np.divmod(channel, layout.slots)
        at = high * layout.block + (rows[:, :1] - layout.top) * layout.row + (columns[:, 0] - g.left)
        exponents: np.ndarray = (a * self._spread - (at * layout.slots + low)) % (2 * DEGREE)
        return exponents.astype(np.uint16).reshape(layout.out_block, layout.in_block, -1)

    @property
    def _image_spread(self) -> int:
        """Coefficients between two images of a polynomial."""
        return self.layout.high * self.layout.block * self.layout.slots

    @property
    def _spread(self) -> int:
        """Coefficients between two output channels of a polynomial."""
        return self.layout.images * self._image_spread

    def _bands(self) -> Iterator[tuple[int, int]]:
        for first in range(0, self.geometry.out_height, self.layout.band_rows):
            yield first, min(first + self.layout.band_rows, self.geometry.out_height)

    def pack_input(self, tensor: np.ndarray) -> np.ndarray:
        """Packs uint32 in_shape into uint32 (tiles, in_polys, DEGREE): the messages to encrypt."""
        g, layout = self.geometry, self.layout
        image = tensor.reshape(g.batch, g.in_channels, *self.in_shape[2:] or (1, 1))
        image = g.fold_input(image)[:, :, : g.height, : g.width]
        rows, bands = layout.block // layout.row, list(self._bands())
        held, places = layout.in_block * g.phases, layout.high * layout.slots
        groups = self.tile_count // len(bands)
        polys = np.zeros((self.tile_count, self.in_poly_count, DEGREE), np.uint32)
        # (group of images, band, polynomial, image, group of channels, row and column, channel of the group)
        target = polys[:, :, : self._spread].reshape(
            groups, len(bands), -1, layout.images, layout.high, layout.block, layout.slots
        )
        assert np.shares_memory(target, polys)
        for poly in range(self.in_poly_count):
            part = image[:, poly * held : (poly + 1) * held]
            padded = np.zeros((groups * layout.images, len(bands), places, layout.block), np.uint32)
            blocks = padded[..., : rows * layout.row].reshape(*padded.shape[:3], rows, layout.row)
            assert np.shares_memory(blocks, padded)
            for band, (first_out, _) in enumerate(bands):
                first = first_out * g.stride[0] - (g.top - layout.top)  # input row at the block's row 0
                begin, end = max(first, 0), min(first + rows, g.height)
                if begin < end:
                    at = blocks[: g.batch, band, : part.shape[1], begin - first : end - first, : g.width]
                    at[...] = part[:, :, begin:end]
            channels = padded.reshape(
                groups, layout.images, len(bands), layout.high, layout.slots, layout.block
            )
            target[:, :, poly] = channels.transpose(0, 2, 1, 3, 5, 4)
            padded.fill(0)  # the masks are secret
        if g.phases > 1:  # else `image` is the caller's own array
            image.fill(0)
        return polys

    @cached_property
    def _released(self) -> tuple[np.ndarray, np.ndarray]:
        g, layout = self.geometry, self.layout
        flat = np.arange(self.released_count, dtype=np.int64)
        elements = flat.reshape(g.batch, g.out_channels, g.out_height, g.out_width)
        index: list[np.ndarray] = []
        positions: list[np.ndarray] = []
        channels = layout.out_block * layout.copies
        for image in range(0, g.batch, layout.images):
            for first_row, end_row in self._bands():
                for first in range(0, g.out_channels, channels):
                    part = elements[
                        image : image + layout.images, first : first + channels, first_row:end_row
                    ]
                    n, a, i, j = np.ogrid[tuple(slice(size) for size in part.shape)]
                    block, a = np.divmod(a, layout.out_block)
                    at = (i * g.stride[0] * layout.row + j * g.stride[1]) * layout.slots
                    at = at + n * self._image_spread + a * self._spread + block * layout.per_answer
                    index.append(part.ravel())
                    positions.append(at.astype(np.uint16).ravel())
        return np.concatenate(index), np.concatenate(positions)

    @cached_property
    def answer_positions(self) -> np.ndarray:
        """The released coefficients of the answers, uint16 (released_count,), in their order.

        They are `positions`, moved up by the place of their product polynomial in the joined answer.
        """
        outputs, each = len(self.starts) - 1, self.layout.per_answer
        slots = np.zeros(outputs, np.uint16)
        for first in range(0, outputs, each):
            count = min(each, outputs - first)
            slots[first : first + count] = join_slots(count)
        return self.positions + np.repeat(slots, np.diff(self.starts).astype(np.int64))

    @property
    def answer_starts(self) -> np.ndarray:
        """The place in `answer_positions` where each answer starts, uint64 (answer_count + 1,)."""
        return np.append(self.starts[: -1 : self.layout.per_answer], self.starts[-1:])

    @property
    def out_index(self) -> np.ndarray:
        """The flat positions in the output, int64 (released_count,), in the order of the response."""
        return self._released[0]

    @property
    def positions(self) -> np.ndarray:
        """The released coefficients of the output polynomials, uint16 (released_count,)."""
        return self._released[1]

    @cached_property
    def starts(self) -> np.ndarray:
        """The place in `positions` where each output polynomial starts, uint64 (tiles * out_polys + 1,)."""
        g, layout = self.geometry, self.layout
        channels = layout.out_block * layout.copies
        counts = [
            min(layout.images, g.batch - image)
            * min(channels, g.out_channels - first)
            * (end_row - first_row)
            * g.out_width
            for image in range(0, g.batch, layout.images)
            for first_row, end_row in self._bands()
            for first in range(0, g.out_channels, channels)
        ]
        return np.cumsum([0, *counts]).astype(np.uint64)


def join_slots(count: int) -> np.ndarray:
    """Returns how far each of `count` output polynomials of an answer is moved up, int64 (count,).

    >>> join_slots(5).tolist()
    [0, 4, 2, 6, 1]
    """
    levels = (count - 1).bit_length()
    bits = np.arange(count)[:, None] >> np.arange(levels) & 1
    slots: np.ndarray = bits @ (1 << np.arange(levels)[::-1])
    return slots


def _too_many_summed(name: str) -> ModelError:
    return ModelError(
        f"{name}: more than {parameters.MAX_INPUT_POLYS} polynomials would be summed; use a smaller input or "
        "fewer channels"
    )
