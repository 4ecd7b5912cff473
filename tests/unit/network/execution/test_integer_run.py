"""The integer network on native kernels equals the reference in plain numpy, value by value."""

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import EXACT, WINDOWED, WindowLaw
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.integer_run import IntegerRun
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import Graph
from pi_bench.network.program import ActivationOp, operands
from pi_bench.network.program.fixed_point import encode_input
from tests.contract.term_program import term_program


@pytest.mark.parametrize("made_by", ["compiler", "hand"])
@pytest.mark.parametrize("law", [EXACT, WINDOWED, WindowLaw("truncated-sign", 3)], ids=str)
def test_values_are_the_references(tiny_graph: Graph, made_by: str, law: WindowLaw) -> None:
    compiled = compile_graph(tiny_graph, CompileOptions(batch=5))
    program, weights = compiled if made_by == "compiler" else term_program()  # which has products
    inputs = np.random.default_rng(1).normal(size=program.input.shape).clip(-2, 2)
    encoded = encode_input(program, inputs)
    run = IntegerRun(program, weights)
    steps = list(run.values(encoded, law, np.random.default_rng(2)))
    shares = {step.op.source: step.share for step in steps if isinstance(step.op, ActivationOp)}
    reference = run_reference(program, weights, encoded, law, shares).values
    assert [step.op.id for step in steps] == [op.id for op in program.ops[1:]]
    for step in steps:
        for operand, read in zip(operands(step.op), step.read, strict=True):
            np.testing.assert_array_equal(read, reference[operand], err_msg=step.op.name)
        np.testing.assert_array_equal(step.made, reference[step.op.id], err_msg=step.op.name)


def test_shares_are_drawn_anew_and_by_the_generator(tiny_graph: Graph) -> None:
    program, weights = compile_graph(tiny_graph)
    encoded = encode_input(program, np.zeros(program.input.shape))
    run = IntegerRun(program, weights)
    first, again, other = (
        [
            step.share
            for step in run.values(encoded, WINDOWED, np.random.default_rng(seed))
            if isinstance(step.op, ActivationOp)
        ]
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[0], first[1])
