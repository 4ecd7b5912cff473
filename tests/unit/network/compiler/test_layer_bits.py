"""Bits by layer, and the two ranges of an activation: its window's and its result's."""

from dataclasses import replace

import numpy as np
import pytest

from pi_bench.errors import UsageError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import ClampNode, Graph, InputNode, LinearNode, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program.fixed_point import decode_output, encode_input

SAMPLES = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)


def two_layers(gain: float = 1.0) -> Graph:
    """Two fully connected layers with a ReLU6 and a ReLU. Two of 24 channels are `gain` times as large."""
    nodes = (
        InputNode("x", (), (16,)),
        LinearNode("first", ("x",), (24,), "first.weight", None),
        ClampNode("clamp", ("first",), (24,), 0.0, 6.0),
        LinearNode("second", ("clamp",), (24,), "second.weight", None),
        ReluNode("relu", ("second",), (24,)),
        LinearNode("head", ("relu",), (8,), "head.weight", None),
        OutputNode("o", ("head",), (8,)),
    )
    generator = np.random.default_rng(1)
    shapes = {"first.weight": (24, 16), "second.weight": (24, 24), "head.weight": (8, 24)}
    parameters = {name: generator.normal(size=shape).astype(np.float32) / 4 for name, shape in shapes.items()}
    parameters["first.weight"][:2] *= gain
    graph = Graph(nodes, parameters)
    return replace(graph, ranges=calibrate(graph, SAMPLES))


def error_pct(graph: Graph, options: CompileOptions) -> float:
    """The largest logit error in percent of the largest logit."""
    program, weights = compile_graph(graph, replace(options, batch=len(SAMPLES)))
    run = run_reference(program, weights, encode_input(program, SAMPLES))
    assert run.out_of_range == []
    exact = outputs(graph, SAMPLES)
    answers = decode_output(program, run.values[program.output.id])
    return 100 * float(np.abs(answers - exact).max() / np.abs(exact).max())


@pytest.mark.parametrize("gain", [40, 120])
def test_a_clamp_is_as_precise_as_its_result_whatever_it_cuts_off(gain: float) -> None:
    """With the scale of the values before it, a gain of 120 left 8 steps of 0 to 6."""
    graph = two_layers(gain)
    program, _ = compile_graph(graph)
    clamps = [op for op in program.activation_ops if op.name == "clamp"]
    assert {op.scale_bits for op in clamps} == {7}  # 6 * 2**7 is below 2**10
    window_end = 2.0 ** min(op.window_bits - op.truncate_bits - op.scale_bits for op in clamps)
    assert 2 * graph.ranges["first"] <= window_end < 4 * graph.ranges["first"]
    assert error_pct(graph, CompileOptions(weight_bits=14)) < 2


def test_bits_of_one_layer_change_that_layer_alone() -> None:
    graph = two_layers()
    plain, _ = compile_graph(graph)
    options = CompileOptions(layer_activation_bits={"relu": 7}, layer_weight_bits={"second": 12})
    changed, weights = compile_graph(graph, options)
    assert changed.weight_bits == 12
    assert 511 < np.abs(weights["second.weight"]).max() <= 2047
    assert np.abs(weights["first.weight"]).max() <= 511
    for before, after in zip(plain.activation_ops, changed.activation_ops, strict=True):
        fewer = 3 if after.name == "relu" else 0
        assert after.scale_bits == before.scale_bits - fewer
        widths = (op.window_bits - op.truncate_bits for op in (before, after))
        assert next(widths) - next(widths) == fewer


def test_fewer_bits_of_a_layer_cost_precision() -> None:
    errors = [
        error_pct(two_layers(), CompileOptions(14, 12, layer_activation_bits={"relu": bits}))
        for bits in (4, 8, 12)
    ]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


@pytest.mark.parametrize(
    "options", [{"layer_weight_bits": {"first": 17}}, {"layer_activation_bits": {"x": 1}}]
)
def test_impossible_bits_of_a_layer_are_refused(options: dict[str, dict[str, int]]) -> None:
    with pytest.raises(UsageError, match="are possible"):
        CompileOptions(**options)  # type: ignore[arg-type]
