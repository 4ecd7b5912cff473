"""Lists the candidates for packing a convolution into polynomials, with their costs.

packing.py describes the method and names its source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from pi_bench import _native
from pi_bench.crypto.he import parameters
from pi_bench.crypto.he.geometry import Geometry
from pi_bench.crypto.he.parameters import DEGREE

MIN_RUN: int = _native.he.MIN_RUN

HE_PLANS = ("compute", "bytes")
"""The public objectives of a layout: little computing, or few bytes."""

SLOW_LINK_BYTE_NS = 100
"""The price of a byte on a slow link, about one of 80 Mbit/s."""

_BYTE_NS = {"compute": 3, "bytes": SLOW_LINK_BYTE_NS}
"""The price of a byte on the wire. That of `compute` is about that of a link of 3 Gbit/s."""

_ENCRYPT_NS = 180_000
_LOAD_NS = 110_000
_DECOMPOSE_NS = 60_000
_COPY_NS = 280_000
_PRODUCT_NS = 12_000
_ANSWER_NS = 206_000
_JOIN_NS = 125_000
_DECRYPT_NS = 40_000
_WEIGHT_NS = 39_000
_COPIED_WEIGHT_NS = 57_000
_RUNS_WEIGHT_NS = 4_500
"""Public prices of the steps, about those of one core with 52-bit multipliers. They decide between layouts
and are the same on every machine, so that both parties choose alike. A weight polynomial serves all tiles."""

_PRICES = {name: value for name, value in globals().items() if name.endswith("_NS")}

_MAX_JOINED_PRODUCTS = 1 << 11
"""Bounds the memory of products that wait to be joined."""


_COPIES = {
    1 << level: tuple(
        copies
        for copies in (1, 2, 4, 8)
        if copies == 1
        or parameters.COPY_ORDER // (1 << level) * (copies - 1) in range(1, parameters.COPY_KEYS + 1)
    )
    for level in range(1, parameters.MAX_JOIN_LEVELS + 1)
}
"""The numbers of copies that have keys, by the slots."""


def prices_hash(more: tuple[int, ...] = ()) -> str:
    """Hashes all numbers by which layouts are chosen: the prices, and the sizes that they are multiplied by.

    It hashes also the limits by which a plan is refused, since these decide whether two products become one.
    Two builds with the same hash choose the same layout for a shape, as long as they list the same layouts.

    Args:
        more: numbers of the caller that decide the same.

    >>> len(prices_hash()), prices_hash() == prices_hash((8,))
    (16, False)
    """
    sizes = (DEGREE, MIN_RUN, parameters.CIPHERTEXT_BYTES, parameters.PACKED_POLY_BYTES)
    limits = (parameters.MAX_INPUT_POLYS, _MAX_JOINED_PRODUCTS, parameters.MAX_WIRE_BYTES, *more)
    noise = (
        parameters.FLOOD_BITS,
        parameters.BINOMIAL_BITS,
        parameters.SIMULATION_BITS,
        parameters.FAILURE_BITS,
    )
    copies = sorted(_COPIES.items())
    text = repr((sorted(_PRICES.items()), sizes, limits, noise, copies))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Layout:
    """Holds a candidate: the channels and coefficients of its polynomials, and the bands of output rows.

    A polynomial of the input has `slots` channels side by side, and `high` groups of them, one `block` apart.
    It holds `images` images of the batch one after the other. So channel c of image n lies at the exponents

        ((n * high + c div slots) * block + row and column) * slots + c mod slots.

    `slots` is a power of two. If it is above 1, outputs lie at its multiples. Then an output polynomial holds
    the outputs of `copies` product polynomials, which takes as many copies of each input polynomial
    (native/he/copies.h), and up to `per_answer` output polynomials are joined into one answer.

    If no kernel slides and `slots` is 1, every weight lies at a multiple of `block`. With `block` a power of
    two, such a weight polynomial has equal values over runs of `block` transformed coefficients: a transform
    of N / `block` words gives it, and a product reads one word per run. So a block of 1x1 kernels is rounded
    up to a power of two.

    >>> from pi_bench.crypto.he.geometry import LinearShape
    >>> geometry = Geometry.of(LinearShape("conv", (1, 3, 8, 8), (1, 4, 6, 6), kernel=(3, 3)))
    >>> best = min(Layout.candidates(geometry), key=lambda layout: layout.cost(geometry, "compute"))
    >>> best.in_block, best.block, best.counts(geometry)
    (3, 64, (1, 1, 1))
    """

    in_block: int
    out_block: int
    block: int  # coefficients between two groups of channels of a polynomial
    row: int  # coefficients between two rows
    top: int  # rows of padding that are shared, not stored
    band_rows: int  # output rows of a band; the last band may have fewer
    images: int = 1  # of the batch in a polynomial; the last polynomials may have fewer
    slots: int = 1
    high: int = 1
    copies: int = 1  # a power of two
    per_answer: int = 1  # a power of two; `copies` times `per_answer` is at most `slots`
    folded: bool = False  # of `Geometry.folded`

    @staticmethod
    def candidates(geometry: Geometry) -> Iterator[Layout]:
        """Yields the layouts that fit into a polynomial.

        Folding a stride into channels puts the outputs side by side. It serves joined answers alone.
        """
        yield from _candidates(geometry, folded=False)
        if geometry.stride != (1, 1):
            yield from _candidates(geometry.folded(), folded=True)

    def run(self, geometry: Geometry) -> int:
        """Returns over how many transformed coefficients a weight polynomial is constant: `block`, or 1."""
        whole = geometry.is_pointwise and self.slots == 1 and self.block >= MIN_RUN
        return self.block if whole else 1

    def counts(self, geometry: Geometry) -> tuple[int, int, int]:
        """Returns the tiles, the input polynomials per tile, and the output polynomials per tile."""
        bands = -(-geometry.out_height // self.band_rows)
        return (
            -(-geometry.batch // self.images) * bands,
            -(-geometry.in_channels // self.in_block),
            -(-geometry.out_channels // (self.out_block * self.copies)),
        )

    def operand_count(self, geometry: Geometry) -> int:
        """Returns the number of polynomials that one output polynomial multiplies and sums.

        They are all copies of the input polynomials of a tile.

        >>> from pi_bench.crypto.he.geometry import LinearShape
        >>> geometry = Geometry.of(LinearShape("dense", (1, 512), (1, 100)))
        >>> best_layout(geometry, "bytes").operand_count(geometry)
        4
        """
        return self.counts(geometry)[1] * self.copies

    def wire_bytes(self, geometry: Geometry) -> int:
        """Returns the bytes on the wire without the released coefficients, which every layout has alike."""
        tiles, in_polys, out_polys = self.counts(geometry)
        answers = -(-tiles * out_polys // self.per_answer)
        return tiles * in_polys * parameters.CIPHERTEXT_BYTES + answers * parameters.PACKED_POLY_BYTES

    def _weight_ns(self, geometry: Geometry) -> int:
        """Returns the price of a weight polynomial.

        A server keeps a part of the transforms, taken as a third. The weight polynomials of I images take
        about I times the memory, so a part I times smaller is kept.
        """
        if self.copies > 1:
            price = _COPIED_WEIGHT_NS
        else:
            price = _WEIGHT_NS if self.run(geometry) == 1 else _RUNS_WEIGHT_NS
        return price * (3 * self.images - 1) // (3 * self.images)

    @property
    def _copying_ns(self) -> int:
        return 0 if self.copies == 1 else _DECOMPOSE_NS + (self.copies - 1) * _COPY_NS

    def computing_ns(self, geometry: Geometry) -> int:
        """Returns the price of computing a product, at both parties together."""
        tiles, in_polys, out_polys = self.counts(geometry)
        uploads, outputs = tiles * in_polys, tiles * out_polys
        answers = -(-outputs // self.per_answer)
        return (
            uploads * (_ENCRYPT_NS + _LOAD_NS + self._copying_ns)
            + self._product_count(geometry) * _PRODUCT_NS
            + in_polys * self.copies * out_polys * self._weight_ns(geometry)
            + outputs * _ANSWER_NS
            + join_count(outputs, self.per_answer) * _JOIN_NS
            + answers * _DECRYPT_NS
        )

    def cost(self, geometry: Geometry, objective: str) -> tuple[int, int]:
        """Returns the price of computing and bytes in nanoseconds, then the products."""
        price = self.computing_ns(geometry) + self.wire_bytes(geometry) * _BYTE_NS[objective]
        return price, self._product_count(geometry)

    def _product_count(self, geometry: Geometry) -> int:
        tiles, in_polys, out_polys = self.counts(geometry)
        return tiles * in_polys * self.copies * out_polys


def join_count(outputs: int, per_answer: int) -> int:
    """Returns the number of key switches that join `outputs` product polynomials, `per_answer` at a time.

    >>> join_count(64, per_answer=32), join_count(3, per_answer=4), join_count(9, per_answer=1)
    (62, 3, 0)
    """
    whole, rest = divmod(outputs, per_answer)
    total = whole * (per_answer - 1)
    while rest > 1:
        rest = (rest + 1) // 2
        total += rest
    return total


def _candidates(geometry: Geometry, *, folded: bool) -> Iterator[Layout]:
    # Neighboring rows and blocks share their padding, but each output has a place of its own.
    row = max(
        geometry.width + max(geometry.left, geometry.right),
        (geometry.out_width - 1) * geometry.stride[1] + 1,
    )
    whole = max(
        geometry.height + max(geometry.top, geometry.bottom),
        (geometry.out_height - 1) * geometry.stride[0] + 1,
    )
    fitting = max((DEGREE // row - geometry.extent[0]) // geometry.stride[0] + 1, 0)
    for band_rows in _band_heights(geometry.out_height, fitting):
        rows = (band_rows - 1) * geometry.stride[0] + geometry.extent[0]
        top = 0
        if band_rows == geometry.out_height and whole < rows:
            rows, top = whole, geometry.top
        if rows * row > DEGREE:
            continue
        common = (rows * row, row, top, band_rows)
        if not folded:
            yield from _separate(geometry, *common)
        for levels in range(1, parameters.MAX_JOIN_LEVELS + 1):
            yield from _side_by_side(geometry, *common, slots=1 << levels, folded=folded)


def _band_heights(height: int, most: int) -> Iterator[int]:
    """Yields `height`, and for each number of bands of at most `most` rows the least rows of a band.

    More rows for the same number of bands serve nothing. A hostile program could make their number large.

    >>> list(_band_heights(9, 9)), list(_band_heights(9, 3)), list(_band_heights(9, 0))
    ([9, 5, 3, 2, 1], [9, 3, 2, 1], [9])
    """
    yield height
    rows = min(height - 1, most)
    while rows > 0:
        rows = -(-height // -(-height // rows))
        yield rows
        rows -= 1


def _image_counts(batch: int, most: int) -> Iterator[int]:
    """Yields numbers of images of a polynomial, at most `most`, each the least for its number of groups.

    They fall by a quarter or more, and by a half above 16, because a hostile program could make their number
    large.

    >>> list(_image_counts(16, 16)), list(_image_counts(16, 5)), list(_image_counts(5, 0))
    ([16, 8, 6, 4, 3, 2, 1], [4, 3, 2, 1], [])
    """
    images = min(batch, most)
    while images > 0:
        images = -(-batch // -(-batch // images))
        yield images
        images = images // 2 if images > 16 else images * 3 // 4


def _separate(geometry: Geometry, block: int, row: int, top: int, band_rows: int) -> Iterator[Layout]:
    """Yields the layouts whose channels are blocks, each answered by itself."""
    if geometry.is_pointwise and block > MIN_RUN // 2:
        block = 1 << (block - 1).bit_length()
    for images in _image_counts(geometry.batch, DEGREE // block):
        capacity = DEGREE // (block * images)
        for out_block, in_block in _splits(capacity, geometry.out_channels, geometry.in_channels):
            yield Layout(in_block, out_block, block, row, top, band_rows, images, high=in_block)


def _side_by_side(
    geometry: Geometry, block: int, row: int, top: int, band_rows: int, *, slots: int, folded: bool
) -> Iterator[Layout]:
    """Yields the layouts with `slots` channels side by side, whose answers are joined."""
    for images in _image_counts(geometry.batch, DEGREE // (block * slots)):
        yield from _images_together(
            geometry, block, row, top, band_rows, slots=slots, images=images, folded=folded
        )


def _images_together(
    geometry: Geometry,
    block: int,
    row: int,
    top: int,
    band_rows: int,
    *,
    slots: int,
    images: int,
    folded: bool,
) -> Iterator[Layout]:
    """Yields the layouts of `_side_by_side` with `images` images in a polynomial."""
    phases = geometry.phases
    most_high = -(-geometry.in_channels * phases // slots)
    tiles = -(-geometry.batch // images) * -(-geometry.out_height // band_rows)
    for out_block, high in _splits(DEGREE // (block * slots * images), geometry.out_channels, most_high):
        in_block = min(high * slots // phases, geometry.in_channels)
        if not in_block:
            continue
        for copies in _COPIES[slots]:
            outputs = tiles * -(-geometry.out_channels // (out_block * copies))
            per_answer = slots // copies
            if copies == 1:
                per_answer = min(slots, 1 << (outputs - 1).bit_length())
            if outputs <= _MAX_JOINED_PRODUCTS and copies * per_answer > 1:
                yield Layout(
                    in_block, out_block, block, row, top, band_rows, images, slots, high, copies, per_answer,
                    folded=folded,
                )  # fmt: skip


def _splits(capacity: int, most_outer: int, most_inner: int) -> Iterator[tuple[int, int]]:
    """Yields (outer, inner) with outer * inner <= capacity, and no inner that is needlessly small.

    >>> list(_splits(7, 2, 9)), list(_splits(0, 2, 9))
    ([(1, 7), (2, 3)], [])
    """
    outer = 0
    while outer < min(capacity, most_outer):
        inner = min(capacity // (outer + 1), most_inner)
        outer = min(capacity // inner, most_outer)
        yield outer, inner


@lru_cache(maxsize=1 << 12)
def best_layout(geometry: Geometry, objective: str) -> Layout | None:
    """Returns the cheapest layout whose sums of products are short enough, or None if there is none.

    >>> from pi_bench.crypto.he.geometry import LinearShape
    >>> geometry = Geometry.of(LinearShape("dense", (1, 512), (1, 10)))
    >>> best_layout(geometry, "bytes").in_block
    512
    """
    limit = parameters.MAX_INPUT_POLYS
    summable = (one for one in Layout.candidates(geometry) if one.operand_count(geometry) <= limit)
    return min(summable, key=lambda layout: layout.cost(geometry, objective), default=None)
