"""The float graph: fields to and from JSON values, validation of hostile content, evaluation."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from pi_bench.errors import InputError, ModelError
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    OutputNode,
    ReluNode,
    node_from_fields,
    node_to_fields,
)
from pi_bench.network.graph.check import check_graph
from pi_bench.network.graph.float_run import calibrate, evaluate, outputs


def small_graph() -> Graph:
    rng = np.random.default_rng(7)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    nodes = (
        InputNode("x", (), (2, 6, 6)),
        ConvNode("conv", ("x",), (3, 3, 3), "conv.w", None, (2, 2), (1, 1)),
        BatchNormNode("bn", ("conv",), (3, 3, 3), "bn.w", "bn.b", "bn.m", "bn.v", 1e-5),
        ReluNode("relu", ("bn",), (3, 3, 3), "relu.mask"),
        ConvNode("short", ("x",), (3, 3, 3), "short.w", "short.b", (2, 2), (0, 0)),
        AddNode("sum", ("relu", "short"), (3, 3, 3)),
        AvgPoolNode("pool", ("sum",), (3, 1, 1), (3, 3), (3, 3), (0, 0)),
        FlattenNode("flat", ("pool",), (3,)),
        LinearNode("fc", ("flat",), (4,), "fc.w", "fc.b"),
        OutputNode("out", ("fc",), (4,)),
    )
    parameters = {
        "conv.w": draw(3, 2, 3, 3),
        "bn.w": draw(3),
        "bn.b": draw(3),
        "bn.m": draw(3),
        "bn.v": np.abs(draw(3)),
        "short.w": draw(3, 2, 1, 1),
        "short.b": draw(3),
        "fc.w": draw(4, 3),
        "fc.b": draw(4),
    }
    mask = np.arange(27).reshape(3, 3, 3) % 2 == 0
    graph = Graph(nodes, parameters, {"relu.mask": mask}, labels=("a", "b", "c", "d"))
    return dataclasses.replace(graph, ranges=calibrate(graph, draw(8, 2, 6, 6)))


def altered(graph: Graph, target: str, /, **changes: Any) -> Graph:
    nodes = tuple(
        dataclasses.replace(node, **changes) if node.name == target else node for node in graph.nodes
    )
    return dataclasses.replace(graph, nodes=nodes)


def with_parameter(graph: Graph, name: str, array: np.ndarray) -> Graph:
    return dataclasses.replace(graph, parameters={**graph.parameters, name: array})


def test_a_sound_graph_passes_and_survives_json() -> None:
    graph = small_graph()
    check_graph(graph)
    again = tuple(node_from_fields(json.loads(json.dumps(node_to_fields(node)))) for node in graph.nodes)
    assert again == graph.nodes
    assert graph.relu_count == 14


def test_evaluation_equals_a_direct_computation() -> None:
    graph = small_graph()
    x = np.random.default_rng(1).standard_normal((2, 2, 6, 6)).astype(np.float32)
    values = evaluate(graph, x)
    p = graph.parameters
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    conv = np.zeros((2, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            window = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            conv[:, :, i, j] = np.einsum("ncij,ocij->no", window, p["conv.w"])
    column = (-1, 1, 1)
    normal = (conv - p["bn.m"].reshape(column)) / np.sqrt(p["bn.v"].reshape(column) + 1e-5)
    normal = normal * p["bn.w"].reshape(column) + p["bn.b"].reshape(column)
    relu = np.where(graph.masks["relu.mask"], np.maximum(normal, 0), normal)
    short = np.einsum("ncij,oc->noij", x[:, :, ::2, ::2], p["short.w"][:, :, 0, 0]) + p["short.b"].reshape(
        column
    )
    expected = (relu + short).mean(axis=(2, 3)) @ p["fc.w"].T + p["fc.b"]
    np.testing.assert_allclose(values["bn"], normal, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(values["out"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(outputs(graph, x), values["out"])


def test_evaluation_refuses_other_shapes() -> None:
    with pytest.raises(InputError, match="2, 6, 6"):
        evaluate(small_graph(), np.zeros((1, 2, 6, 5), np.float32))


def test_calibration_names_the_node_that_overflows() -> None:
    graph = small_graph()
    huge = with_parameter(graph, "short.w", np.full((3, 2, 1, 1), 3e38, np.float32))
    with pytest.raises(ModelError, match="conv 'short'"):
        calibrate(huge, np.full((1, 2, 6, 6), 100, np.float32))


HOSTILE = {
    "bn.*shape": lambda g: altered(g, "bn", shape=(3, 3, 4)),
    "relu.*no earlier node": lambda g: altered(g, "relu", inputs=("fc",)),
    "sum.*1 inputs": lambda g: altered(g, "sum", inputs=("relu",)),
    "sum.*adds shapes": lambda g: altered(g, "short", stride=(1, 1), shape=(3, 6, 6)),
    "short.*feeds no other": lambda g: altered(g, "sum", inputs=("relu", "relu")),
    "twice": lambda g: altered(g, "short", name="relu"),
    "conv.*stride": lambda g: altered(g, "conv", stride=(0, 1)),
    "conv.*padding": lambda g: altered(g, "conv", padding=(1 << 20, 0)),
    "pool.*larger": lambda g: altered(g, "pool", kernel=(9, 9)),
    "conv.*NaN": lambda g: with_parameter(g, "conv.w", np.full((3, 2, 3, 3), np.nan, np.float32)),
    "conv.*do not fit": lambda g: with_parameter(g, "conv.w", np.ones((3, 5, 3, 3), np.float32)),
    "fc.*float64": lambda g: with_parameter(g, "fc.b", np.ones(4)),
    "fc.*fc.b.*shape": lambda g: with_parameter(g, "fc.b", np.ones(3, np.float32)),
    "bn.*variance": lambda g: with_parameter(g, "bn.v", np.full(3, -1, np.float32)),
    "bn.*epsilon": lambda g: altered(g, "bn", epsilon=float("nan")),
    "relu.*mask": lambda g: dataclasses.replace(g, masks={}),
    "pool.*calibrat": lambda g: dataclasses.replace(
        g, ranges={k: v for k, v in g.ranges.items() if k != "pool"}
    ),
    "fc.*finite": lambda g: dataclasses.replace(g, ranges={**g.ranges, "fc": float("inf")}),
    "3 labels": lambda g: dataclasses.replace(g, labels=("a", "b", "c")),
    "does not begin": lambda g: dataclasses.replace(g, nodes=g.nodes[1:]),
    "second input": lambda g: dataclasses.replace(
        g, nodes=(*g.nodes[:3], InputNode("y", (), (1,)), *g.nodes[3:])
    ),
    "0 nodes": lambda g: dataclasses.replace(g, nodes=()),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_graphs_are_refused_by_name(message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_graph(HOSTILE[message](small_graph()))


@pytest.mark.parametrize(
    "change",
    [
        {"operator": "max_pool"},
        {"operator": ["conv"]},
        {"name": 7},
        {"inputs": "x"},
        {"inputs": ["x"] * 257},
        {"shape": [3, -1, 3]},
        {"shape": [3, True, 3]},
        {"stride": [2]},
        {"weight": None},
        {"extra": 1},
    ],
)
def test_hostile_fields_are_refused(change: dict[str, Any]) -> None:
    fields = {**node_to_fields(small_graph().nodes[1]), **change}
    with pytest.raises(ModelError):
        node_from_fields(fields)


def test_fields_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(ModelError):
        node_from_fields(["conv"])
