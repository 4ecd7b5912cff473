"""A program's operators in a few words."""

from __future__ import annotations

from typing import Protocol

from pi_bench.network.program import (
    ActivationOp,
    Convolution,
    FullyConnected,
    InputOp,
    LinearOp,
    LinearTerm,
    MultiplyOp,
    Op,
    Program,
    SumPool,
)
from pi_bench.report.quantities import counted, multiply_accumulates


class Counts(Protocol):
    """Has the counts that `counts_text` names: a network in a result, or an inspection.

    ```python
    def relu_fraction(counts: Counts) -> float:
        return counts.relu_count / (counts.relu_count + counts.truncation_count)
    ```
    """

    @property
    def relu_count(self) -> int: ...

    @property
    def truncation_count(self) -> int: ...

    @property
    def square_count(self) -> int: ...

    @property
    def product_count(self) -> int: ...

    @property
    def mac_count(self) -> int: ...


def operator_text(op: Op) -> str:
    """Names the computation of an operator, such as "conv 3x3 + add" or "ReLU | truncate".

    >>> from pi_bench.network.program import InputOp
    >>> operator_text(InputOp(0, "input", (1, 2), 4, bound=4.0))
    'input'
    """
    if isinstance(op, LinearOp):
        words = [_term_text(term) for term in op.terms]
        return " + ".join(dict.fromkeys(words)) or "bias"
    if isinstance(op, ActivationOp):
        kinds = ((op.relu_count, "ReLU"), (op.truncation_count, "truncate"))
        return " | ".join(word for count, word in kinds if count)
    if isinstance(op, MultiplyOp):
        return "square" if op.square_count else "product"
    return "input" if isinstance(op, InputOp) else "output"


def operator_counts(op: Op) -> dict[str, int]:
    """Counts the operations of an operator by kind, with the field names of results.

    >>> from pi_bench.network.program import InputOp
    >>> operator_counts(InputOp(0, "input", (1, 2), 4, bound=4.0))["relu_count"]
    0
    """
    activation = op if isinstance(op, ActivationOp) else None
    multiply = op if isinstance(op, MultiplyOp) else None
    return {
        "relu_count": activation.relu_count if activation else 0,
        "truncation_count": activation.truncation_count if activation else 0,
        "square_count": multiply.square_count if multiply else 0,
        "product_count": multiply.product_count if multiply else 0,
        "mac_count": op.mac_count if isinstance(op, LinearOp) else 0,
    }


def network_counts(program: Program) -> dict[str, int]:
    """Sums `operator_counts` over all operators.

    >>> from pi_bench.network.program import InputOp, OutputOp
    >>> ops = InputOp(0, "input", (1, 2), 4, bound=4.0), OutputOp(1, "output", (1, 2), 0, 4)
    >>> network_counts(Program("tiny", ops, 10, ()))["mac_count"]
    0
    """
    return {
        "relu_count": program.relu_count,
        "truncation_count": program.truncation_count,
        "square_count": program.square_count,
        "product_count": program.product_count,
        "mac_count": program.mac_count,
    }


def counts_text(counts: Counts, input_count: int = 1) -> str:
    """Writes a network's counts in a line, without the kinds that it has none of.

    Args:
        input_count: the inputs that the counts are for; the line has the counts of each.

    >>> from types import SimpleNamespace
    >>> counts = dict(relu_count=96, truncation_count=0, square_count=0, product_count=0, mac_count=10**6)
    >>> counts_text(SimpleNamespace(**counts))
    '96 ReLUs, 0 truncations without ReLU, 1.0 M multiply-accumulates'
    >>> counts_text(SimpleNamespace(**{name: 4 * value for name, value in counts.items()}), 4)
    '4 inputs together, each with 96 ReLUs, 0 truncations without ReLU, 1.0 M multiply-accumulates'
    """
    relus, truncations, squares, products = (
        number // input_count
        for number in (counts.relu_count, counts.truncation_count, counts.square_count, counts.product_count)
    )
    words = [
        counted(relus, "ReLU"),
        counted(truncations, "truncation without ReLU", "truncations without ReLU"),
    ]
    words += [
        counted(number, kind) for kind, number in (("square", squares), ("product", products)) if number
    ]
    words.append(multiply_accumulates(counts.mac_count // input_count))
    together = f"{input_count:,} inputs together, each with " if input_count > 1 else ""
    return together + ", ".join(words)


def shape_text(shape: tuple[int, ...]) -> str:
    """Writes a shape, without the batch where it is one.

    >>> shape_text((1, 3, 32, 32))
    '3x32x32'
    """
    return "x".join(map(str, shape[1:] if shape[0] == 1 else shape))


def _term_text(term: LinearTerm) -> str:
    if isinstance(term.weighted, Convolution):
        stride = "" if term.weighted.stride == (1, 1) else f"/{term.weighted.stride[0]}"
        return f"conv {term.weighted.kernel[0]}x{term.weighted.kernel[1]}{stride}"
    if isinstance(term.weighted, FullyConnected):
        return "linear"
    return "pool" if any(isinstance(local, SumPool) for local in term.local) else "add"
