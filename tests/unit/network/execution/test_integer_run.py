"""The integer network on native kernels equals the reference in plain numpy, value by value."""

import numpy as np
import pytest

from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.integer_run import IntegerRun
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import Graph
from pi_bench.network.program import ActivationOp, LinearOp
from pi_bench.network.program.fixed_point import encode_input


@pytest.mark.parametrize(("mode", "drop"), [("exact", 0), ("windowed", 0), ("truncated-sign", 3)])
def test_values_are_the_references(tiny_graph: Graph, mode: str, drop: int) -> None:
    program, weights = compile_graph(tiny_graph, CompileOptions(batch=5))
    inputs = np.random.default_rng(1).normal(size=program.input.shape).clip(-2, 2)
    encoded = encode_input(program, inputs)
    run = IntegerRun(program, weights)
    seen = list(run.values(encoded, mode, drop, np.random.default_rng(2)))
    activations = [entry for entry in seen if isinstance(entry[0], ActivationOp)]
    shares = {op.source: share for op, _, share, _ in activations}
    reference = run_reference(program, weights, encoded, mode, shares, drop).values
    assert [op.id for op, *_ in seen] == [op.id for op in program.ops[1:]]
    for op, x, _, y in seen:
        source = op.id if isinstance(op, LinearOp) else op.source
        np.testing.assert_array_equal(x, reference[source], err_msg=op.name)
        np.testing.assert_array_equal(y, reference[op.id], err_msg=op.name)


def test_shares_are_drawn_anew_and_by_the_generator(tiny_graph: Graph) -> None:
    program, weights = compile_graph(tiny_graph)
    encoded = encode_input(program, np.zeros(program.input.shape))
    run = IntegerRun(program, weights)
    first, again, other = (
        [
            share
            for op, _, share, _ in run.values(encoded, "windowed", 0, np.random.default_rng(seed))
            if isinstance(op, ActivationOp)
        ]
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[0], first[1])
