"""The public program: what both parties know and run, in static single assignment form.

A program is a sequence of operators; the id of an operator is the id of the value that it makes.
Values live in Z_2^32 as fixed point: the real number times ``2**scale_bits``. Every tensor has the
batch as axis 0 and channels (or features) as axis 1.

    InputOp        the client's quantized input
    LinearOp       a sum of linear terms of earlier values, plus a bias
    ActivationOp   groups of elements of one linear value: ReLU and truncate, or truncate only
    MultiplyOp     the product of two values element by element; a square if both are one
    OutputOp       a linear value that is revealed to the client

Every value is held the same way: the client has its mask and the server the value less that mask. The
masks of the input, of activations and of products are drawn; that of a linear value follows from those
of its sources, through an encrypted product where a term has weights and by local arithmetic where none
has. So a linear value without weights (a residual sum, a concatenation, ``b + ReLU(a - b)``) costs no
message, and whatever can read an activation can read it (`derived_values`).

Only shapes, scales, masks and wiring stand here, and all of it is public. The weights are a separate
mapping from names to integer arrays that the server alone holds (`Weights`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.network.program.operators import ActivationOp, InputOp, LinearOp, MultiplyOp, Op, OutputOp

RING_BITS = 32

Weights = Mapping[str, np.ndarray]
"""Server only. A weighted operator's name → int16 (out, in, kh, kw) or (out, in), each |w| <= 511
by default; a bias' name → uint32 (out,), already at its linear operator's scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Operators in order: one `InputOp` first, one `OutputOp` last."""

    name: str
    ops: tuple[Op, ...]
    weight_bits: int  # public bound: |w| < 2**(weight_bits - 1)
    labels: tuple[str, ...]

    @property
    def input(self) -> InputOp:
        op = self.ops[0]
        assert isinstance(op, InputOp)
        return op

    @property
    def output(self) -> OutputOp:
        op = self.ops[-1]
        assert isinstance(op, OutputOp)
        return op

    @property
    def linear_ops(self) -> tuple[LinearOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, LinearOp))

    @property
    def activation_ops(self) -> tuple[ActivationOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, ActivationOp))

    @property
    def multiply_ops(self) -> tuple[MultiplyOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, MultiplyOp))

    @property
    def source_ops(self) -> tuple[InputOp | ActivationOp | MultiplyOp, ...]:
        """The values whose masks are drawn."""
        return tuple(op for op in self.ops if isinstance(op, InputOp | ActivationOp | MultiplyOp))

    @property
    def relu_count(self) -> int:
        return sum(op.relu_count for op in self.activation_ops)

    @property
    def truncation_count(self) -> int:
        return sum(op.truncation_count for op in self.activation_ops)

    @property
    def square_count(self) -> int:
        return sum(op.square_count for op in self.multiply_ops)

    @property
    def product_count(self) -> int:
        return sum(op.product_count for op in self.multiply_ops)

    @property
    def mac_count(self) -> int:
        return sum(op.mac_count for op in self.linear_ops)


def derived_values(program: Program) -> frozenset[int]:
    """Ids of the values whose masks the client knows before any product: what weights can read.

    The input, activations, products, and linear values that are made of these alone and without weights.
    """
    known = {op.id for op in program.source_ops}
    for op in program.linear_ops:
        if all(term.weighted is None and term.source in known for term in op.terms):
            known.add(op.id)
    return frozenset(known)
