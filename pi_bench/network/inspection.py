"""What `pi-bench inspect` shows of a program: one row an operator, and the totals."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.network.program import (
    ActivationOp,
    InputOp,
    LinearOp,
    MultiplyOp,
    Op,
    OutputOp,
    Program,
    Shape,
    Weighted,
)


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """Fields that an operator does not have are None. Counts are of one inference (whole batch)."""

    op_id: int
    operator: str  # input, linear, relu, truncate, relu+truncate, multiply, output
    name: str
    shape: Shape
    scale_bits: int
    truncate_bits: int | None
    window_bits: int | None
    relu_count: int
    truncation_count: int
    mac_count: int
    headroom_bits: float | None
    weighted: tuple[Weighted, ...]  # what homomorphic encryption is needed for


def inspect_program(program: Program) -> list[OperatorRow]:
    """One row an operator, in order."""
    return [_row(op) for op in program.ops]


def lowest_headroom(program: Program) -> ActivationOp | None:
    """The activation whose window is tightest; None in a network without activations."""
    return min(program.activation_ops, key=lambda op: op.headroom_bits, default=None)


def _row(op: Op) -> OperatorRow:
    activation = op if isinstance(op, ActivationOp) else None
    linear = op if isinstance(op, LinearOp) else None
    terms = () if linear is None else linear.terms
    return OperatorRow(
        op_id=op.id,
        operator=_operator(op),
        name=op.name,
        shape=op.shape,
        scale_bits=op.scale_bits,
        truncate_bits=None if activation is None else activation.truncate_bits,
        window_bits=None if activation is None or not activation.relu_count else activation.window_bits,
        relu_count=0 if activation is None else activation.relu_count,
        truncation_count=0 if activation is None else activation.truncation_count,
        mac_count=0 if linear is None else linear.mac_count,
        headroom_bits=None if activation is None else activation.headroom_bits,
        weighted=tuple(term.weighted for term in terms if term.weighted is not None),
    )


def _operator(op: Op) -> str:
    if isinstance(op, ActivationOp):
        return "+".join(group.kind.value for group in op.groups)
    if isinstance(op, LinearOp):
        return "linear"
    if isinstance(op, MultiplyOp):
        return "multiply"
    assert isinstance(op, InputOp | OutputOp)
    return "input" if isinstance(op, InputOp) else "output"
