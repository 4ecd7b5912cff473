"""The public program, which both parties know and run, in static single assignment form.

A program is a sequence of operators; the id of an operator is the id of the value that it makes.
Values are elements of Z_2^32 in fixed point: the real number times ``2**scale_bits``. Every tensor has the
batch as axis 0 and channels (or features) as axis 1.

    InputOp        the client's quantized input
    LinearOp       a sum of linear terms of earlier values, plus a bias
    ActivationOp   groups of elements of one linear value: ReLU and truncate, or truncate only
    MultiplyOp     the product of two values element by element; a square if both are one
    OutputOp       a linear value that is revealed to the client

Every value is held the same way: the client has its mask and the server the value less that mask. The
masks of the input, of activations and of products are drawn. The mask of a linear value follows from those
of its sources, through an encrypted product where a term has weights and by local arithmetic where none
has. So a linear value without weights (a residual sum, a concatenation, ``b + ReLU(a - b)``) costs no
message, and every operator that can read an activation can read it (`derived_values`).

A program holds only shapes, scales, masks and wiring, and all of it is public. The weights are a separate
mapping from names to integer arrays that the server alone holds (`Weights`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.network.program.operators import ActivationOp, InputOp, LinearOp, MultiplyOp, Op, OutputOp

Weights = Mapping[str, np.ndarray]
"""The weights, which the server alone holds.

The name of a weighted operator maps to int16 (out, in, kh, kw) or (out, in), by default each |w| <= 511. The
name of a bias maps to uint32 (out,), at the scale of its linear operator.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A sequence of operators: one `InputOp` first, one `OutputOp` last.

    Attributes:
        weight_bits: a public bound on weights, |w| < 2**(weight_bits - 1).

    >>> from pi_bench.network.program import LinearTerm
    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(4, np.uint8))
    >>> linear = LinearOp(1, "double", (1, 4), 12, (double,), None, 0)
    >>> ops = InputOp(0, "input", (1, 4), 12, bound=4.0), linear, OutputOp(2, "output", (1, 4), 1, 12)
    >>> Program("tiny", ops, weight_bits=10, labels=()).relu_count
    0
    """

    name: str
    ops: tuple[Op, ...]
    weight_bits: int  # public bound: |w| < 2**(weight_bits - 1)
    labels: tuple[str, ...]

    @property
    def input(self) -> InputOp:
        """The operator of the input."""
        op = self.ops[0]
        assert isinstance(op, InputOp)
        return op

    @property
    def output(self) -> OutputOp:
        """The operator of the output."""
        op = self.ops[-1]
        assert isinstance(op, OutputOp)
        return op

    @property
    def linear_ops(self) -> tuple[LinearOp, ...]:
        """The linear operators, in order."""
        return tuple(op for op in self.ops if isinstance(op, LinearOp))

    @property
    def activation_ops(self) -> tuple[ActivationOp, ...]:
        """The activations, in order."""
        return tuple(op for op in self.ops if isinstance(op, ActivationOp))

    @property
    def multiply_ops(self) -> tuple[MultiplyOp, ...]:
        """The element-wise products, in order."""
        return tuple(op for op in self.ops if isinstance(op, MultiplyOp))

    @property
    def source_ops(self) -> tuple[InputOp | ActivationOp | MultiplyOp, ...]:
        """The operators whose values have masks that the client draws."""
        return tuple(op for op in self.ops if isinstance(op, InputOp | ActivationOp | MultiplyOp))

    @property
    def relu_count(self) -> int:
        """The number of ReLUs of one inference, whole batch."""
        return sum(op.relu_count for op in self.activation_ops)

    @property
    def truncation_count(self) -> int:
        """The number of elements that are truncated only, whole batch."""
        return sum(op.truncation_count for op in self.activation_ops)

    @property
    def square_count(self) -> int:
        """The number of squares of one inference, whole batch."""
        return sum(op.square_count for op in self.multiply_ops)

    @property
    def product_count(self) -> int:
        """The number of products of two different values, whole batch."""
        return sum(op.product_count for op in self.multiply_ops)

    @property
    def mac_count(self) -> int:
        """The multiply-accumulates of one inference, whole batch."""
        return sum(op.mac_count for op in self.linear_ops)


def derived_values(program: Program) -> frozenset[int]:
    """Returns the ids of the values whose masks the client knows before any product; weights can read these.

    They are the input, activations, products, and linear values made of these alone and without weights.

    >>> from pi_bench.network.program import FullyConnected, LinearTerm
    >>> head = LinearTerm(0, (), FullyConnected("w", (1, 4), (1, 2)), 1, np.zeros(2, np.uint8))
    >>> linear = LinearOp(1, "head", (1, 2), 22, (head,), None, 8)
    >>> ops = InputOp(0, "input", (1, 4), 12, bound=4.0), linear, OutputOp(2, "output", (1, 2), 1, 22)
    >>> derived_values(Program("tiny", ops, weight_bits=10, labels=()))
    frozenset({0})
    """
    known = {op.id for op in program.source_ops}
    for op in program.linear_ops:
        if all(term.weighted is None and term.source in known for term in op.terms):
            known.add(op.id)
    return frozenset(known)
