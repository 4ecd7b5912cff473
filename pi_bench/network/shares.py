"""Linear algebra on additive shares mod 2^32: what every protocol does between its messages.

One use at a time: `prepared_linear.py` has what the online phase repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pi_bench.arithmetic.convolution import RingConvolution
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


@dataclass(frozen=True, slots=True, eq=False)
class PreparedWeights:
    """int16 weights in the order in which the kernel reads them; secret as they are."""

    packed: np.ndarray


def ring_convolution(weighted: Weighted) -> RingConvolution:
    """The kernel of a weighted operator."""
    if isinstance(weighted, Convolution):
        top, _, left, _ = weighted.padding
        in_shape, out_shape = weighted.in_shape, weighted.out_shape
        return RingConvolution(in_shape, out_shape, weighted.kernel, weighted.stride, (top, left))
    in_shape, out_shape = (*weighted.in_shape, 1, 1), (*weighted.out_shape, 1, 1)
    return RingConvolution(in_shape, out_shape, (1, 1), (1, 1), (0, 0))


def prepare_weights(weighted: Weighted, weights: np.ndarray, weight_bits: int = 10) -> PreparedWeights:
    """Secret integer weights for `apply_weighted`, once for any number of uses.

    weights: int16 (out, in, kh, kw) or (out, in), |w| < 2**(weight_bits - 1).

    Raises:
        ValueError: a weight beyond the public bound; weights of another shape.
    """
    limit = (1 << (weight_bits - 1)) - 1
    if weights.size and int(np.abs(weights.astype(np.int32)).max()) > limit:
        raise ValueError(f"a weight exceeds the public bound {limit}")
    return PreparedWeights(ring_convolution(weighted).pack(np.ascontiguousarray(weights)))


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
        weights = prepare_weights(weighted, weights, 8 * weights.dtype.itemsize)
    convolution = ring_convolution(weighted)
    out = np.zeros(weighted.out_shape, np.uint32)
    workspace = np.empty(convolution.workspace_words, np.uint32)
    no_shift = np.zeros(weighted.out_shape[1], np.uint8)
    convolution.add(weights.packed, np.ascontiguousarray(share), 1, no_shift, workspace, out)
    return out


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
