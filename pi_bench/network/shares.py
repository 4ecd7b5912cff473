"""Linear algebra on additive shares mod 2^32: what every protocol does between its messages.

Weighted operators run as float64 matrix products (BLAS). A share viewed as int32 times weights of
bound w, summed over K, stays at or below K * w * 2^31; while that is at most 2^53 the product is
exact. Where it is not, the share is split into two 16-bit limbs and multiplied twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pi_bench.network.program import (
    Convolution,
    LinearOp,
    LinearTerm,
    LocalOp,
    Reshape,
    Subsample,
    SumPool,
    Weighted,
)

_EXACT_BITS = 53
_UNROLLED_BYTES = 1 << 25
"""Of one unrolled block of input windows, which bounds the memory of a convolution."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedWeights:
    """`matrix`: float64 (out, K), K = in * kh * kw. `split`: two limbs are needed for exactness."""

    matrix: np.ndarray
    split: bool


def prepare_weights(weights: np.ndarray, weight_bits: int = 10) -> PreparedWeights:
    """Secret integer weights for `apply_weighted`, once for any number of uses.

    weights: int16 (out, in, kh, kw) or (out, in), |w| < 2**(weight_bits - 1). Whether limbs are
    needed follows from shape and `weight_bits` alone, which are public: time tells nothing of them.

    Raises:
        ValueError: a weight beyond the public bound.
    """
    limit = (1 << (weight_bits - 1)) - 1
    if weights.size and int(np.abs(weights.astype(np.int32)).max()) > limit:
        raise ValueError(f"a weight exceeds the public bound {limit}")
    matrix = weights.reshape(weights.shape[0], -1).astype(np.float64)
    return PreparedWeights(matrix, split=matrix.shape[1] * limit * 2**31 > 2**_EXACT_BITS)


def apply_local(ops: Sequence[LocalOp], share: np.ndarray) -> np.ndarray:
    """Linear operators without weights on a share (uint32, batch first)."""
    for op in ops:
        if isinstance(op, SumPool):
            share = _sum_pool(op, share)
        elif isinstance(op, Subsample):
            share = share[:, :, :: op.stride[0], :: op.stride[1]]
        else:
            assert isinstance(op, Reshape)
            share = share.reshape(op.shape)
    return share


def apply_weighted(
    weighted: Weighted, weights: np.ndarray | PreparedWeights, share: np.ndarray
) -> np.ndarray:
    """Weights times a share, exact mod 2^32: uint32 of `weighted.out_shape`.

    share: uint32 of `weighted.in_shape`. Raw weights are prepared on the spot, for their own bound.
    """
    if share.dtype != np.uint32 or share.shape != weighted.in_shape:
        raise ValueError(
            f"{weighted.weight!r} takes uint32 {weighted.in_shape}, not {share.dtype} {share.shape}"
        )
    if isinstance(weights, np.ndarray):
        weights = prepare_weights(weights, 8 * weights.dtype.itemsize)
    if not weights.split:
        return _product(weighted, weights.matrix, share.view(np.int32)).reshape(weighted.out_shape)
    low = _product(weighted, weights.matrix, share & np.uint32(0xFFFF))
    high = _product(weighted, weights.matrix, share >> np.uint32(16))
    low += high << np.uint32(16)
    return low.reshape(weighted.out_shape)


def scale_term(term: LinearTerm, value: np.ndarray) -> np.ndarray:
    """``(value * multiplier) << shift_bits[channel]`` mod 2^32."""
    if term.multiplier != 1:
        value = value * np.uint32(term.multiplier & 0xFFFFFFFF)
    if term.shift_bits.any():
        column = (-1,) + (1,) * (value.ndim - 2)
        value = value << term.shift_bits.astype(np.uint32).reshape(column)
    return value


def combine_terms(op: LinearOp, results: Sequence[np.ndarray], bias: np.ndarray | None = None) -> np.ndarray:
    """A share of the linear value from shares of its terms' products (before multiplier and shift).

    results: one array a term, in order: the share of ``weighted(local(source))``, or of
    ``local(source)`` without weights. bias: uint32 (channels,), given by one party only.
    """
    total = np.zeros(op.shape, np.uint32)
    for term, result in zip(op.terms, results, strict=True):
        total += scale_term(term, result)
    if bias is not None:
        total += bias.reshape((-1,) + (1,) * (len(op.shape) - 2))
    return total


def apply_linear(
    op: LinearOp, shares: Mapping[int, np.ndarray], weights: Mapping[str, np.ndarray | PreparedWeights]
) -> np.ndarray:
    """The whole operator, bias included, on values or on one party's shares by activation id."""
    results = []
    for term in op.terms:
        value = apply_local(term.local, shares[term.source])
        if term.weighted is not None:
            value = apply_weighted(term.weighted, weights[term.weighted.weight], value)
        results.append(value)
    bias = None if op.bias is None else weights[op.bias]
    assert not isinstance(bias, PreparedWeights)
    return combine_terms(op, results, bias)


def _product(weighted: Weighted, matrix: np.ndarray, share: np.ndarray) -> np.ndarray:
    """matrix times the unrolled integer share, mod 2^32; every sum is exact in float64."""
    if not isinstance(weighted, Convolution):
        return _integers(share.astype(np.float64) @ matrix.T)
    top, bottom, left, right = weighted.padding
    padded = np.pad(share, ((0, 0), (0, 0), (top, bottom), (left, right)))
    batch, out_channels, rows, columns = weighted.out_shape
    out = np.empty((batch, out_channels, rows, columns), np.uint32)
    row_bytes = 8 * matrix.shape[1] * columns
    step = max(1, _UNROLLED_BYTES // row_bytes)
    for sample in range(batch):
        for first in range(0, rows, step):
            count = min(step, rows - first)
            block = _unroll(weighted, padded[sample], first, count)
            out[sample, :, first : first + count] = _integers(matrix @ block).reshape(
                out_channels, count, columns
            )
    return out


def _unroll(weighted: Convolution, image: np.ndarray, first: int, count: int) -> np.ndarray:
    """The windows of output rows first..first+count as columns: float64 (in * kh * kw, count * columns)."""
    (kh, kw), (down, across) = weighted.kernel, weighted.stride
    columns = weighted.out_shape[3]
    block = np.empty((image.shape[0], kh, kw, count, columns), np.float64)
    for i in range(kh):
        top = first * down + i
        for j in range(kw):
            block[:, i, j] = image[
                :, top : top + (count - 1) * down + 1 : down, j : j + (columns - 1) * across + 1 : across
            ]
    return block.reshape(-1, count * columns)


def _integers(product: np.ndarray) -> np.ndarray:
    return product.astype(np.int64).astype(np.uint32)


def _sum_pool(op: SumPool, share: np.ndarray) -> np.ndarray:
    (kh, kw), (down, across) = op.kernel, op.stride
    top, bottom, left, right = op.padding
    padded = np.pad(share, ((0, 0), (0, 0), (top, bottom), (left, right))) if any(op.padding) else share
    if padded.shape[2:] == (kh, kw):
        whole: np.ndarray = padded.sum(axis=(2, 3), dtype=np.uint32, keepdims=True)
        return whole
    rows = (padded.shape[2] - kh) // down + 1
    columns = (padded.shape[3] - kw) // across + 1
    total = np.zeros((*padded.shape[:2], rows, columns), np.uint32)
    for i in range(kh):
        for j in range(kw):
            total += padded[
                :, :, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * across + 1 : across
            ]
    return total
