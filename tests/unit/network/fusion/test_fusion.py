"""A fused graph is the same network: at borders, with biases, for every choice of dissolved values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from pi_bench.errors import ModelError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.fusion import CostTable, fuse_keeping, fuse_linear
from pi_bench.network.fusion.plan import Planner
from pi_bench.network.graph import AvgPoolNode, Graph
from pi_bench.network.graph.float_run import evaluate, outputs
from pi_bench.network.graph.fused_node import FusedNode
from pi_bench.network.program.check import check_program
from pi_bench.network.program.fixed_point import decode_output, encode_input
from tests.unit.network.fusion.fusion_graphs import GraphBuilder, culled_graph, fusion_graphs


def _assert_same_network(graph: Graph, fused: Graph) -> None:
    inputs = np.random.default_rng(5).standard_normal((2, *graph.input.shape)).astype(np.float32)
    expected, found = evaluate(graph, inputs), evaluate(fused, inputs)
    for node in (node for node in fused.nodes if node.name in expected):
        tolerance = 1e-5 * max(1.0, float(np.abs(expected[node.name]).max()))
        assert found[node.name] == pytest.approx(expected[node.name], abs=tolerance), node.name


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(fusion_graphs(), st.data())
def test_whatever_is_dissolved_the_network_stays_the_same(graph: Graph, data: Any) -> None:
    planner = Planner(graph, 10)
    kept = [name for name in planner.unfused() if data.draw(st.booleans())]
    _assert_same_network(graph, fuse_keeping(graph, kept, planner))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(fusion_graphs())
def test_the_plan_costs_no_more_than_what_it_replaces(graph: Graph) -> None:
    fused, fusion = fuse_linear(graph, 10)
    _assert_same_network(graph, fused)
    assert fusion.after.online_s <= fusion.before.online_s
    assert fusion.after.offline_bytes <= fusion.before.offline_bytes
    assert set(fusion.values) == {node.name for node in fused.nodes if isinstance(node, FusedNode)}
    assert bool(fusion.values) <= bool(fusion.dissolved)


@settings(max_examples=20, deadline=None)
@given(fusion_graphs(), st.data())
def test_the_fused_program_computes_the_network(graph: Graph, data: Any) -> None:
    planner = Planner(graph, 12)
    kept = [name for name in planner.unfused() if data.draw(st.booleans())]
    fused = fuse_keeping(graph, kept, planner)
    options = CompileOptions(weight_bits=12, activation_bits=12)
    try:
        program, weights = compile_graph(fused, options)
    except ModelError as refused:  # polynomials in a row, whose ranges are drawn
        assert "which 32-bit fixed point does not hold" in str(refused)
        reject()
    check_program(program)
    inputs = np.random.default_rng(7).standard_normal(program.input.shape).clip(-1, 1).astype(np.float32)
    run = run_reference(program, weights, encode_input(program, inputs))
    assert not run.out_of_range
    expected = outputs(graph, inputs)
    tolerance = 0.02 * max(graph.ranges.values())
    assert decode_output(program, run.values[program.output.source]) == pytest.approx(expected, abs=tolerance)


def test_pooling_and_logits_after_a_culled_stage_absorb_the_last_convolution() -> None:
    graph = culled_graph()
    fused, fusion = fuse_linear(graph, 10)
    head = graph.nodes[-2].name
    assert len(fusion.values[head]) == 2  # the convolution before the pool, and the head
    assert not any(isinstance(node, AvgPoolNode) for node in fused.nodes)


def test_nothing_is_fused_where_a_relu_stands_between_all_layers() -> None:
    builder = GraphBuilder(1, (2, 6, 6))
    first = builder.relu(builder.conv(builder.nodes[0], 3, 3, 1, 1))
    graph = builder.head(builder.relu(builder.conv(first, 3, 3, 1, 1)), 3)
    fused, fusion = fuse_linear(graph, 10)
    assert fused is graph
    assert fusion.values == {}
    assert fusion.before == fusion.after


@pytest.mark.slow
def test_a_slow_link_pays_for_larger_layers_and_more_offline_bytes() -> None:
    builder = GraphBuilder(4, (3, 16, 16))
    value = builder.relu(builder.conv(builder.nodes[0], 16, 3, 1, 1))
    for _ in range(4):  # a fused kernel of 9 x 9 needs more offline bytes than four of 3 x 3
        value = builder.conv(value, 16, 3, 1, 1)
    graph = builder.head(builder.relu(value), 3)
    wan = CostTable.of_link("wan", rtt_s=0.04, up_bits_per_s=1e8, down_bits_per_s=1e8)
    near, far = fuse_linear(graph, 10)[1], fuse_linear(graph, 10, wan)[1]
    assert set(near.dissolved) < set(far.dissolved)
    assert not far.kept  # every round that fusion can save is saved
    assert far.after.offline_bytes > far.before.offline_bytes
    assert far.before.online_s - far.after.online_s == pytest.approx(0.04 * len(far.dissolved), rel=0.05)
