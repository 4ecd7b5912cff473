"""The plaintext integer network: the oracle that defines the exact answer.

It is plain and slow on purpose, in int64, and written apart from `pi_bench.network.execution.shares`. It
works on signed values and never on shares. Activations follow a law that the caller names.
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
    """A count of values of one activation that left its window, or of one product that left the ring.

    Attributes:
        largest: the largest |x| among them, or |y| of a product.

    >>> OutOfRange(op_id=3, name="layer1.relu", count=2, largest=1 << 24).count
    2
    """

    op_id: int
    name: str
    count: int
    largest: int  # of |x| among them, of |y| of a product


@dataclass(slots=True)
class ReferenceRun:
    """The values of one inference: operator id → uint32 of its shape.

    Attributes:
        out_of_range: lists only the operators that have values out of range.

    >>> ReferenceRun().out_of_range
    []
    """

    values: dict[int, np.ndarray] = field(default_factory=dict)
    out_of_range: list[OutOfRange] = field(default_factory=list)


def run_reference(
    program: Program,
    weights: Weights,
    encoded_input: np.ndarray,
    law: ActivationLaw = EXACT,
    client_shares: Mapping[int, np.ndarray] | None = None,
) -> ReferenceRun:
    """Computes every value of one inference.

    Args:
        encoded_input: uint32 of the input's shape.
        client_shares: for a law that depends on shares, the client's share (uint32) of each linear value by
            its id; without them shares are zero.

    >>> from pi_bench.network.program import LinearTerm
    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(2, np.uint8))
    >>> linear = LinearOp(1, "double", (1, 2), 4, (double,), None, 0)
    >>> ops = InputOp(0, "input", (1, 2), 4, bound=4.0), linear, OutputOp(2, "output", (1, 2), 1, 4)
    >>> run_reference(Program("tiny", ops, 10, ()), {}, np.uint32([[3, 5]])).values[2].tolist()
    [[6, 10]]
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
    """Computes a linear value, uint32, from the values (uint32) of its sources by id.

    >>> from pi_bench.network.program import LinearTerm
    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(2, np.uint8))
    >>> op = LinearOp(1, "double", (1, 2), 4, (double,), None, 0)
    >>> linear_reference(op, {0: np.uint32([[3, 5]])}, weights={}).tolist()
    [[6, 10]]
    """
    total = np.zeros(op.shape, np.int64)
    for term in op.terms:
        value = term_reference(term, signed(values[term.source]), weights)
        total[:, term.first_channel : term.first_channel + value.shape[1]] += value
    if op.bias is not None:
        total += signed(weights[op.bias]).reshape(-1, *(1,) * (len(op.shape) - 2))
    return (total & 0xFFFFFFFF).astype(np.uint32)


def multiply_reference(op: MultiplyOp, values: Mapping[int, np.ndarray]) -> np.ndarray:
    """Computes an element-wise product, uint32, of values (uint32) by id.

    >>> square = MultiplyOp(2, "square", (1, 2), 8, left=1, right=1)
    >>> multiply_reference(square, {1: np.int32([[3, -4]]).view(np.uint32)}).tolist()
    [[9, 16]]
    """
    product: np.ndarray = exact_product(values[op.left], values[op.right]) & 0xFFFFFFFF
    return product.astype(np.uint32)


def exact_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Multiplies the signed numbers that values (uint32) represent: int64, not reduced mod 2^32.

    >>> exact_product(np.uint32([1 << 20]), np.uint32([1 << 20])).tolist()
    [1099511627776]
    """
    product: np.ndarray = signed(left) * signed(right)
    return product


def beyond_ring(product: np.ndarray) -> np.ndarray:
    """Tells which exact products are outside [-2^31, 2^31), so that the ring cannot hold them.

    The result is bool of the same shape.

    >>> beyond_ring(np.array([5, 1 << 31]))
    array([False,  True])
    """
    return (product < -(1 << (RING_BITS - 1))) | (product >= 1 << (RING_BITS - 1))


def product_out_of_range(op: MultiplyOp, values: Mapping[int, np.ndarray]) -> OutOfRange | None:
    """Counts the products of values (uint32) that the ring does not hold; None if it holds all of them.

    >>> square = MultiplyOp(2, "square", (1, 2), 8, left=1, right=1)
    >>> product_out_of_range(square, {1: np.uint32([[3, 1 << 16]])}).count
    1
    """
    product = exact_product(values[op.left], values[op.right])
    outside = beyond_ring(product)
    if not outside.any():
        return None
    return OutOfRange(op.id, op.name, int(np.count_nonzero(outside)), int(np.abs(product).max()))


def activation_reference(
    op: ActivationOp, x: np.ndarray, client_share: np.ndarray, law: ActivationLaw
) -> np.ndarray:
    """Applies the law to each element: uint32 of the operator's shape, as are x and client_share.

    >>> from pi_bench.network.program import ActivationGroup
    >>> groups = (ActivationGroup(ActivationKind.RELU, 2, None),)
    >>> op = ActivationOp(2, "relu", (1, 2), 4, 1, groups, truncate_bits=4, window_bits=20, headroom_bits=1.0)
    >>> x = np.int32([[48, -48]]).view(np.uint32)
    >>> activation_reference(op, x, np.zeros_like(x), EXACT).tolist()
    [[3, 0]]
    """
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
    """Counts the elements of x (uint32) that the operator's windows do not hold; None if they hold all of
    them.

    >>> from pi_bench.network.program import ActivationGroup
    >>> groups = (ActivationGroup(ActivationKind.RELU, 2, None),)
    >>> op = ActivationOp(2, "relu", (1, 2), 4, 1, groups, truncate_bits=4, window_bits=20, headroom_bits=1.0)
    >>> out_of_range(op, np.uint32([[48, 1 << 24]]), EXACT).count
    1
    """
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
