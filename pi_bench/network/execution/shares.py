"""Linear algebra on additive shares mod 2^32, which every protocol does between its messages.

Everything here prepares for a single use; `execution.prepared_linear` has the form for repeated use online.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pi_bench.arithmetic.convolution import RingConvolution
from pi_bench.network.execution.shares_local import LOCAL_FUNCTIONS
from pi_bench.network.program import (
    Convolution,
    LinearOp,
    LinearTerm,
    LocalOp,
    Weighted,
)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedWeights:
    """Weights, int16, in the order in which the kernel reads them; they are secret.

    >>> from pi_bench.network.program import FullyConnected
    >>> prepare_weights(FullyConnected("w", (1, 2), (1, 1)), np.int16([[3, -1]])).packed.dtype
    dtype('int16')
    """

    packed: np.ndarray


def ring_convolution(weighted: Weighted, batch: int | None = None) -> RingConvolution:
    """Makes the kernel of a weighted operator, for the operator's batch or for another one.

    >>> from pi_bench.network.program import FullyConnected
    >>> type(ring_convolution(FullyConnected("w", (1, 2), (1, 1)), batch=8)).__name__
    'RingConvolution'
    """
    in_shape, out_shape = (
        (batch or shape[0], *shape[1:]) for shape in (weighted.in_shape, weighted.out_shape)
    )
    if isinstance(weighted, Convolution):
        top, _, left, _ = weighted.padding
        return RingConvolution(
            in_shape,
            out_shape,
            weighted.kernel,
            weighted.stride,
            (top, left),
            weighted.dilation,
            weighted.groups,
        )
    return RingConvolution((*in_shape, 1, 1), (*out_shape, 1, 1), groups=weighted.groups)


def prepare_weights(weighted: Weighted, weights: np.ndarray, weight_bits: int = 10) -> PreparedWeights:
    """Packs secret integer weights for `apply_weighted`, once for any number of uses.

    Args:
        weights: int16 of `weighted.weight_shape`, |w| < 2**(weight_bits - 1).

    Raises:
        ValueError: a weight is beyond the public bound, or weights have another shape.

    >>> from pi_bench.network.program import FullyConnected
    >>> prepare_weights(FullyConnected("w", (1, 2), (1, 1)), np.int16([[3, 900]]), weight_bits=10)
    Traceback (most recent call last):
    ValueError: a weight exceeds the public bound 511
    """
    limit = (1 << (weight_bits - 1)) - 1
    if weights.size and int(np.abs(weights.astype(np.int32)).max()) > limit:
        raise ValueError(f"a weight exceeds the public bound {limit}")
    return PreparedWeights(ring_convolution(weighted).pack(np.ascontiguousarray(weights)))


def apply_local(ops: Sequence[LocalOp], share: np.ndarray) -> np.ndarray:
    """Applies linear operators without weights, in order, to a share (uint32, batch first).

    >>> from pi_bench.network.program import ChannelSlice
    >>> apply_local([ChannelSlice(1, 2), ChannelSlice(1, 1)], np.uint32([[5, 6, 7]])).tolist()
    [[7]]
    """
    for op in ops:
        share = LOCAL_FUNCTIONS[type(op)](op, share)
    return share


def apply_weighted(
    weighted: Weighted, weights: np.ndarray | PreparedWeights, share: np.ndarray
) -> np.ndarray:
    """Multiplies a share by weights, exactly mod 2^32: uint32 of `weighted.out_shape`.

    Raw weights are prepared on the spot, for their own bound.

    Args:
        share: uint32 of `weighted.in_shape`.

    Raises:
        ValueError: the share has another dtype or shape.

    >>> from pi_bench.network.program import FullyConnected
    >>> weighted, weights = FullyConnected("w", (1, 2), (1, 1)), np.int16([[3, -1]])
    >>> x, mask = np.uint32([[5, 7]]), np.uint32([[123456789, 4000000000]])
    >>> (apply_weighted(weighted, weights, x - mask) + apply_weighted(weighted, weights, mask)).tolist()
    [[8]]
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
    """Computes ``(value * multiplier) << shift_bits[channel]`` mod 2^32.

    >>> scale_term(LinearTerm(0, (), None, 3, np.uint8([0, 4])), np.uint32([[1, 1]])).tolist()
    [[3, 48]]
    """
    if term.multiplier != 1:
        value = value * np.uint32(term.multiplier & 0xFFFFFFFF)
    if term.shift_bits.any():
        column = (-1,) + (1,) * (value.ndim - 2)
        value = value << term.shift_bits.astype(np.uint32).reshape(column)
    return value


def add_term(term: LinearTerm, result: np.ndarray, total: np.ndarray) -> None:
    """Adds a term to its place in a share of the linear value, `total`, from a share of its product.

    Args:
        result: the share of ``weighted(local(source))``, or of ``local(source)`` without weights.

    >>> total = np.zeros((1, 3), np.uint32)
    >>> add_term(LinearTerm(0, (), None, 1, np.uint8([0]), first_channel=2), np.uint32([[7]]), total)
    >>> total.tolist()
    [[0, 0, 7]]
    """
    first = term.first_channel
    total[:, first : first + result.shape[1]] += scale_term(term, result)


def combine_terms(op: LinearOp, results: Sequence[np.ndarray], bias: np.ndarray | None = None) -> np.ndarray:
    """Computes a share of the linear value from shares of its terms' products (before multiplier and shift).

    Args:
        results: one array per term, in order, as for `add_term`.
        bias: uint32 (channels,), given by one party only.

    >>> terms = tuple(LinearTerm(0, (), None, factor, np.uint8([0])) for factor in (1, -2))
    >>> op = LinearOp(1, "sum", (1, 1), 4, terms, None, 0)
    >>> combine_terms(op, [np.uint32([[9]]), np.uint32([[4]])], bias=np.uint32([100])).tolist()
    [[101]]
    """
    total = np.zeros(op.shape, np.uint32)
    for term, result in zip(op.terms, results, strict=True):
        add_term(term, result, total)
    if bias is not None:
        total += bias.reshape((-1,) + (1,) * (len(op.shape) - 2))
    return total


def apply_linear(
    op: LinearOp, shares: Mapping[int, np.ndarray], weights: Mapping[str, np.ndarray | PreparedWeights]
) -> np.ndarray:
    """Applies the whole operator, bias included, to values or to one party's shares by id.

    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(2, np.uint8))
    >>> op = LinearOp(1, "double", (1, 2), 4, (double,), None, 0)
    >>> apply_linear(op, {0: np.uint32([[3, 5]])}, weights={}).tolist()
    [[6, 10]]
    """
    results = []
    for term in op.terms:
        value = apply_local(term.local, shares[term.source])
        if term.weighted is not None:
            value = apply_weighted(term.weighted, weights[term.weighted.weight], value)
        results.append(value)
    bias = None if op.bias is None else weights[op.bias]
    assert not isinstance(bias, PreparedWeights)
    return combine_terms(op, results, bias)
