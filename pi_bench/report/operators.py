"""A program's operators in a few words."""

from __future__ import annotations

from pi_bench.network.program import (
    ActivationOp,
    Convolution,
    FullyConnected,
    InputOp,
    LinearOp,
    LinearTerm,
    Op,
    SumPool,
)


def operator_words(op: Op) -> str:
    """Such as ``conv 3x3 + add`` or ``ReLU | truncate``."""
    if isinstance(op, LinearOp):
        words = [_term_words(term) for term in op.terms]
        return " + ".join(dict.fromkeys(words)) or "bias"
    if isinstance(op, ActivationOp):
        kinds = ((op.relu_count, "ReLU"), (op.truncation_count, "truncate"))
        return " | ".join(word for count, word in kinds if count)
    return "input" if isinstance(op, InputOp) else "output"


def shape_words(shape: tuple[int, ...]) -> str:
    """Without the batch where it is one."""
    return "x".join(map(str, shape[1:] if shape[0] == 1 else shape))


def _term_words(term: LinearTerm) -> str:
    if isinstance(term.weighted, Convolution):
        stride = "" if term.weighted.stride == (1, 1) else f"/{term.weighted.stride[0]}"
        return f"conv {term.weighted.kernel[0]}x{term.weighted.kernel[1]}{stride}"
    if isinstance(term.weighted, FullyConnected):
        return "linear"
    return "pool" if any(isinstance(local, SumPool) for local in term.local) else "add"
