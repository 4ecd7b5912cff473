"""The oracle itself: values out of their windows are named, windowed runs follow the law of the shares."""

import dataclasses

import numpy as np
import pytest

from pi_bench.arithmetic import law
from pi_bench.arithmetic.activation_law import EXACT, WINDOWED, WindowLaw
from pi_bench.network.compiler import compile_graph
from pi_bench.network.execution.reference import activation_reference, run_reference
from pi_bench.network.graph import AddNode, ConvNode, Graph, InputNode, OutputNode, ReluNode
from pi_bench.network.program import Program, Weights


def small_network() -> tuple[Program, Weights]:
    """Every convolution is 0.7 times: c = 0.7 x, and the output 0.7 ReLU(c) + c with ReLU by mask."""
    eye = np.float32(0.7) * np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1)
    shape = (2, 3, 3)
    nodes = (
        InputNode("x", (), shape),
        ConvNode("c", ("x",), shape, "w", None, (1, 1), (0, 0)),
        ReluNode("r", ("c",), shape, "mask"),
        ConvNode("d", ("r",), shape, "w", None, (1, 1), (0, 0)),
        AddNode("sum", ("d", "c"), shape),
        OutputNode("out", ("sum",), shape),
    )
    mask = np.zeros(shape, np.bool_)
    mask[0] = True
    graph = Graph(nodes, {"w": eye}, {"mask": mask}, {node.name: 1.0 for node in nodes})
    return compile_graph(graph)


def fixed(program: Program, values: np.ndarray) -> np.ndarray:
    scaled = np.rint(np.ldexp(values, program.input.scale_bits)).astype(np.int64)
    return scaled.astype(np.uint32).reshape(program.input.shape)


def test_exact_values_are_those_computed_by_hand() -> None:
    program, weights = small_network()
    x = np.linspace(-1, 1, 18)
    run = run_reference(program, weights, fixed(program, x))
    c = 0.7 * x
    relu = np.where(np.arange(18) < 9, np.maximum(c, 0), c)
    y = law.signed(run.values[program.output.id]).reshape(-1) * 2.0**-program.output.scale_bits
    np.testing.assert_allclose(y, 0.7 * relu + c, atol=3 * 2.0 ** -program.activation_ops[0].scale_bits)
    assert run.out_of_range == []


@pytest.mark.parametrize("activation_law", [EXACT, WINDOWED], ids=str)
def test_values_out_of_their_windows_are_counted_and_named(activation_law: WindowLaw) -> None:
    program, weights = small_network()
    x = np.full(18, 0.5)
    x[3] = 3.5  # ReLU: the window has one bit of headroom over 1
    x[12] = 3.5  # truncation alone: the ring has room
    run = run_reference(program, weights, fixed(program, x), activation_law)
    (outside,) = run.out_of_range
    relu = program.activation_ops[0]
    assert (outside.op_id, outside.name, outside.count) == (relu.id, "r", 1)
    assert outside.largest >= 1 << relu.window_bits


def test_windowed_values_depend_on_the_shares_by_at_most_one_unit() -> None:
    program, weights = small_network()
    rng = np.random.default_rng(4)
    x = fixed(program, rng.uniform(-1, 1, 18))
    shares = {op.id: rng.integers(0, 2**32, op.shape, dtype=np.uint32) for op in program.linear_ops}
    run = run_reference(program, weights, x, WINDOWED, shares)
    zero = run_reference(program, weights, x, WINDOWED)
    op = program.activation_ops[0]
    source = run.values[op.source]
    np.testing.assert_array_equal(
        run.values[op.id], activation_reference(op, source, shares[op.source], WINDOWED)
    )
    step = law.signed(zero.values[op.id] - run.values[op.id])
    assert set(np.unique(step)) <= {0, 1} and step.any()


def test_a_linear_value_wraps_like_the_ring() -> None:
    program, weights = small_network()
    shifted = {**weights, "c.bias": np.array([2**31, 2**32 - 1], np.uint32)}
    linear = dataclasses.replace(program.linear_ops[0], bias="c.bias")
    ops = tuple(linear if op.id == linear.id else op for op in program.ops)
    x = fixed(program, np.zeros(18))
    run = run_reference(dataclasses.replace(program, ops=ops), shifted, x)
    value = run.values[linear.id].reshape(2, -1)
    assert set(value[0]) == {2**31} and set(value[1]) == {2**32 - 1}
