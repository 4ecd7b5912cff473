"""The integer network on the native kernels: the values of `reference`, fast enough for a data set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.execution.reference import activation_reference, multiply_reference
from pi_bench.network.program import (
    ActivationOp,
    InputOp,
    LinearOp,
    MultiplyOp,
    Op,
    OutputOp,
    Program,
    Weights,
    operands,
)

EXACT = "exact"


class IntegerRun:
    """Runs one program again and again, a batch of its size at a time.

    In modes whose law depends on the client's shares, shares are uniform, from a generator that
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
        self, encoded: np.ndarray, mode: str, sign_drop: int, generator: np.random.Generator
    ) -> Iterator[tuple[Op, np.ndarray, np.ndarray, np.ndarray]]:
        """(operator, what it read, the client's share of that, what it made) for each operator but the
        input, in order; of what is no activation all three are the same value.

        encoded: uint32 of the input's shape. Arrays are uint32 and must not be changed; each is given
        up when its last reader is through.
        """
        values: dict[int, np.ndarray] = {}
        for op in self.program.ops:
            if isinstance(op, InputOp):
                values[op.id] = encoded
            elif isinstance(op, LinearOp):
                y = values[op.id] = self._linear_value(op, values)
                yield op, y, y, y
            elif isinstance(op, MultiplyOp):
                y = values[op.id] = multiply_reference(op, values)
                yield op, y, y, y
            elif isinstance(op, ActivationOp):
                x = values[op.source]
                share = x if mode == EXACT else generator.integers(0, 1 << 32, x.shape, np.uint32)
                values[op.id] = activation_reference(op, x, share, mode, sign_drop)
                yield op, x, share, values[op.id]
            elif isinstance(op, OutputOp):
                yield op, values[op.source], values[op.source], values[op.source]
            for read in [read for read, last in self._last_reader.items() if last == op.id]:
                values.pop(read, None)

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
