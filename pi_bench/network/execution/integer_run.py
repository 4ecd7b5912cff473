"""The integer network on the native kernels: the values of `reference`, fast enough for a data set."""

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
class Step:
    """What an operator read (`operands`, in order) and made: uint32 arrays that must not be changed.

    share: the client's share of what an activation read; of other operators it says nothing.
    """

    op: Op
    read: tuple[np.ndarray, ...]
    share: np.ndarray
    made: np.ndarray


class IntegerRun:
    """Runs one program again and again, a batch of its size at a time.

    Where the law depends on the client's shares, shares are uniform, from a generator that
    the caller seeds: a simulation of what a private run draws, for statistics and nothing else.
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
    ) -> Iterator[Step]:
        """The steps of all operators but the input, in order.

        encoded: uint32 of the input's shape. Each value is given up when its last reader is through.
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
            yield Step(op, read, share, values[op.id])
            for gone in [gone for gone, last in self._last_reader.items() if last == op.id]:
                values.pop(gone, None)

    def _linear_value(self, op: LinearOp, values: dict[int, np.ndarray]) -> np.ndarray:
        out = np.zeros(op.shape, np.uint32)
        if op.bias is not None:
            out += self._weights[op.bias].reshape(-1, *(1,) * (len(op.shape) - 2))
        self._linear[op.id].add(values, out, self._workspace, self._threads)
        return out


def _last_readers(program: Program) -> dict[int, int]:
    """Value's id → id of the last operator that reads it."""
    last: dict[int, int] = {}
    for op in program.ops:
        last.update((read, op.id) for read in operands(op))
    return last
