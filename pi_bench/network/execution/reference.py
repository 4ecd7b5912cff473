"""The plaintext integer network: the oracle that defines the exact answer.

Plain and slow on purpose, in int64, and written apart from `pi_bench.network.execution.shares`: it works on
signed values and never on shares. Activations follow a law that the caller names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pi_bench.arithmetic.activation_law import EXACT, ActivationLaw
from pi_bench.arithmetic.law import signed
from pi_bench.network.execution.reference_terms import term_reference
from pi_bench.network.program import (
    RING_BITS,
    ActivationKind,
    ActivationOp,
    InputOp,
    LinearOp,
    MultiplyOp,
    OutputOp,
    Program,
    Weights,
)


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """Values of one activation that left its window, or of one product that left the ring."""

    op_id: int
    name: str
    count: int
    largest: int  # of |x| among them, of |y| of a product


@dataclass(slots=True)
class ReferenceRun:
    """`values`: operator id → uint32 of its shape. `out_of_range`: only operators that have any."""

    values: dict[int, np.ndarray] = field(default_factory=dict)
    out_of_range: list[OutOfRange] = field(default_factory=list)


def run_reference(
    program: Program,
    weights: Weights,
    encoded_input: np.ndarray,
    law: ActivationLaw = EXACT,
    client_shares: Mapping[int, np.ndarray] | None = None,
) -> ReferenceRun:
    """Every value of one inference.

    encoded_input: uint32 of the input's shape. client_shares: for a law that depends on shares, the client's
    share (uint32) of each linear value by its id; without them, shares of zero.
    """
    run = ReferenceRun()
    for op in program.ops:
        if isinstance(op, InputOp):
            run.values[op.id] = encoded_input
        elif isinstance(op, LinearOp):
            run.values[op.id] = linear_reference(op, run.values, weights)
        elif isinstance(op, ActivationOp):
            x = run.values[op.source]
            share = np.zeros_like(x) if client_shares is None else client_shares[op.source]
            run.values[op.id] = activation_reference(op, x, share, law)
            outside = out_of_range(op, x, law)
            if outside is not None:
                run.out_of_range.append(outside)
        elif isinstance(op, MultiplyOp):
            run.values[op.id] = multiply_reference(op, run.values)
            outside = product_out_of_range(op, run.values)
            if outside is not None:
                run.out_of_range.append(outside)
        elif isinstance(op, OutputOp):
            run.values[op.id] = run.values[op.source]
    return run


def linear_reference(op: LinearOp, values: Mapping[int, np.ndarray], weights: Weights) -> np.ndarray:
    """The linear value, uint32, from the (uint32) values of its sources."""
    total = np.zeros(op.shape, np.int64)
    for term in op.terms:
        value = term_reference(term, signed(values[term.source]), weights)
        total[:, term.first_channel : term.first_channel + value.shape[1]] += value
    if op.bias is not None:
        total += signed(weights[op.bias]).reshape(-1, *(1,) * (len(op.shape) - 2))
    return (total & 0xFFFFFFFF).astype(np.uint32)


def multiply_reference(op: MultiplyOp, values: Mapping[int, np.ndarray]) -> np.ndarray:
    """The element-wise product, uint32, of (uint32) values."""
    product: np.ndarray = exact_product(values[op.left], values[op.right]) & 0xFFFFFFFF
    return product.astype(np.uint32)


def exact_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """int64: of the numbers that (uint32) values stand for, whatever the ring holds."""
    product: np.ndarray = signed(left) * signed(right)
    return product


def beyond_ring(product: np.ndarray) -> np.ndarray:
    """bool: where an exact product is no number of [-2^31, 2^31)."""
    return (product < -(1 << (RING_BITS - 1))) | (product >= 1 << (RING_BITS - 1))


def product_out_of_range(op: MultiplyOp, values: Mapping[int, np.ndarray]) -> OutOfRange | None:
    """The products of (uint32) values that the ring does not hold, if any."""
    product = exact_product(values[op.left], values[op.right])
    outside = beyond_ring(product)
    if not outside.any():
        return None
    return OutOfRange(op.id, op.name, int(np.count_nonzero(outside)), int(np.abs(product).max()))


def activation_reference(
    op: ActivationOp, x: np.ndarray, client_share: np.ndarray, law: ActivationLaw
) -> np.ndarray:
    """The law of each element, uint32. x and client_share: uint32 of the operator's shape."""
    flat, share = x.reshape(-1), client_share.reshape(-1)
    y = np.zeros(flat.size, np.uint32)
    for group in op.groups:
        where = np.arange(flat.size) if group.index is None else group.index
        if group.kind is ActivationKind.RELU:
            y[where] = law.relu(flat[where], share[where], op.truncate_bits, op.window_bits)
        else:
            y[where] = law.truncate(flat[where], share[where], op.truncate_bits)
    return y.reshape(op.shape)


def out_of_range(op: ActivationOp, x: np.ndarray, law: ActivationLaw) -> OutOfRange | None:
    """The elements of x (uint32) that the operator's windows do not hold, if any."""
    flat = x.reshape(-1)
    inside = np.ones(flat.size, np.bool_)
    for group in op.groups:
        where = np.arange(flat.size) if group.index is None else group.index
        if group.kind is ActivationKind.RELU:
            inside[where] = law.relu_in_range(flat[where], op.truncate_bits, op.window_bits)
        else:
            inside[where] = law.truncate_in_range(flat[where], op.truncate_bits)
    if inside.all():
        return None
    largest = int(np.abs(signed(flat[~inside])).max())
    return OutOfRange(op.id, op.name, int(np.count_nonzero(~inside)), largest)
