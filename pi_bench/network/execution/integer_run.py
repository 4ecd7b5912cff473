"""Runs the integer network on the native kernels; it gives the values of `reference`, fast enough for a data
set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.execution.reference import activation_reference, multiply_reference
from pi_bench.network.program import (
    ActivationOp,
    LinearOp,
    MultiplyOp,
    Op,
    OutputOp,
    Program,
    Weights,
    operands,
)


@dataclass(frozen=True, slots=True)
class OperatorValues:
    """The values that an operator read (`read`, in order) and made: uint32 arrays that must not be changed.

    Attributes:
        share: the client's share of an activation's source; for other operators it has no meaning.

    >>> from pi_bench.network.program import InputOp
    >>> x = np.uint32([[3, 5]])
    >>> OperatorValues(OutputOp(1, "output", (1, 2), 0, 4), read=(x,), share=x, made=x).made.tolist()
    [[3, 5]]
    """

    op: Op
    read: tuple[np.ndarray, ...]
    share: np.ndarray
    made: np.ndarray


class IntegerRun:
    """Runs one program repeatedly, one batch of its size at a time.

    Where the law depends on the client's shares, the shares are uniform and drawn from a generator that the
    caller seeds. This simulates the shares of a private run for statistics; it is no source of secrets.

    >>> from pi_bench.arithmetic.activation_law import EXACT
    >>> from pi_bench.network.program import InputOp, LinearTerm
    >>> double = LinearTerm(0, (), None, multiplier=2, shift_bits=np.zeros(2, np.uint8))
    >>> linear = LinearOp(1, "double", (1, 2), 4, (double,), None, 0)
    >>> ops = InputOp(0, "input", (1, 2), 4, bound=4.0), linear, OutputOp(2, "output", (1, 2), 1, 4)
    >>> run = IntegerRun(Program("tiny", ops, 10, ()), weights={})
    >>> steps = run.values(np.uint32([[3, 5]]), EXACT, np.random.default_rng(0))
    >>> [step.made.tolist() for step in steps]
    [[[6, 10]], [[6, 10]]]
    """

    def __init__(self, program: Program, weights: Weights, threads: int = 1) -> None:
        self.program = program
        self._weights = weights
        self._threads = threads
        self._linear = {op.id: PreparedLinear(op, weights, program.weight_bits) for op in program.linear_ops}
        self._workspace = workspace_for(self._linear.values())
        self._last_reader = _last_readers(program)

    def values(
        self, encoded: np.ndarray, law: ActivationLaw, generator: np.random.Generator
    ) -> Iterator[OperatorValues]:
        """Yields the steps of all operators but the input, in order.

        Each value is dropped after its last reader.

        Args:
            encoded: uint32 of the input's shape.
        """
        values = {self.program.input.id: encoded}
        for op in self.program.ops[1:]:
            read = tuple(values[operand] for operand in operands(op))
            share = read[0]
            if isinstance(op, LinearOp):
                values[op.id] = self._linear_value(op, values)
            elif isinstance(op, MultiplyOp):
                values[op.id] = multiply_reference(op, values)
            elif isinstance(op, ActivationOp):
                if law.depends_on_shares:
                    share = generator.integers(0, 1 << 32, share.shape, np.uint32)
                values[op.id] = activation_reference(op, read[0], share, law)
            elif isinstance(op, OutputOp):
                values[op.id] = read[0]
            yield OperatorValues(op, read, share, values[op.id])
            for gone in [gone for gone, last in self._last_reader.items() if last == op.id]:
                values.pop(gone, None)

    def _linear_value(self, op: LinearOp, values: dict[int, np.ndarray]) -> np.ndarray:
        out = np.zeros(op.shape, np.uint32)
        if op.bias is not None:
            out += self._weights[op.bias].reshape(-1, *(1,) * (len(op.shape) - 2))
        self._linear[op.id].add(values, out, self._workspace, self._threads)
        return out


def _last_readers(program: Program) -> dict[int, int]:
    """Maps each value's id to the id of the last operator that reads it."""
    last: dict[int, int] = {}
    for op in program.ops:
        last.update((read, op.id) for read in operands(op))
    return last
