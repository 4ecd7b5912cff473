"""The peers' networks are ours: the same floats, evaluated by operators of their own."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.layer_graphs import layer_graph
from benchmarks.peers.plain_export import plain_network
from benchmarks.peers.plain_network import PlainNetwork, noise
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
)
from pi_bench.network.graph.float_run import outputs


class Operators:
    """Slow and plain, (batch, channels, rows, columns)."""

    def conv(self, x, weight, bias, stride, padding):
        x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
        y = np.einsum("bihwkl,oikl->bohw", windows[:, :, :: stride[0], :: stride[1]], weight)
        return y if bias is None else y + bias[:, None, None]

    def linear(self, x, weight, bias):
        return x @ weight.T + bias

    def relu(self, x):
        return np.maximum(x, 0)

    def add(self, x, y):
        return x + y

    def avg_pool(self, x, kernel, stride):
        assert list(kernel) == list(stride) == list(x.shape[2:])
        return x.mean(axis=(2, 3), keepdims=True)

    def flatten(self, x):
        return x.reshape(len(x), -1)


def residual_graph() -> Graph:
    generator = np.random.default_rng(3)
    nodes = (
        InputNode("input", (), (3, 8, 8)),
        ConvNode("one", ("input",), (4, 4, 4), "one.w", None, (2, 2), (1, 1)),
        BatchNormNode("norm", ("one",), (4, 4, 4), "n.w", "n.b", "n.m", "n.v", 1e-5),
        ReluNode("relu", ("norm",), (4, 4, 4)),
        ConvNode("two", ("relu",), (4, 4, 4), "two.w", "two.b", (1, 1), (1, 1)),
        AddNode("sum", ("two", "relu"), (4, 4, 4)),
        AvgPoolNode("pool", ("sum",), (4, 1, 1), (4, 4), (4, 4), (0, 0)),
        FlattenNode("flatten", ("pool",), (4,)),
        LinearNode("head", ("flatten",), (5,), "head.w", "head.b"),
        OutputNode("output", ("head",), (5,)),
    )
    shapes = {"one.w": (4, 3, 3, 3), "two.w": (4, 4, 3, 3), "two.b": (4,), "head.w": (5, 4), "head.b": (5,)}
    shapes |= {"n.w": (4,), "n.b": (4,), "n.m": (4,)}
    parameters = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    parameters["n.v"] = generator.uniform(0.5, 2, 4).astype(np.float32)
    return Graph(nodes, parameters, {})


@pytest.mark.parametrize("graph", [residual_graph(), layer_graph("conv", "relu")], ids=["residual", "layer"])
def test_same_answer_after_a_round_trip(graph: Graph, tmp_path: Path) -> None:
    plain_network(graph).save(tmp_path / "network.npz")
    network = PlainNetwork.load(tmp_path / "network.npz")
    inputs = noise(network)
    found = network.evaluate(Operators(), inputs, network.weights)
    np.testing.assert_allclose(found, outputs(graph, inputs), rtol=1e-3, atol=1e-4)


def test_what_the_peers_do_not_have_is_refused() -> None:
    graph = layer_graph("relu")
    masked = tuple(
        dataclasses.replace(node, mask="m") if isinstance(node, ReluNode) else node for node in graph.nodes
    )
    with pytest.raises(ValueError, match="relu0: the peers' networks have no ReluNode"):
        plain_network(dataclasses.replace(graph, nodes=masked, masks={"m": np.ones((64, 32, 32), bool)}))


def test_a_normalization_of_a_shared_value_is_refused() -> None:
    graph = residual_graph()
    nodes = tuple(
        dataclasses.replace(node, inputs=("two", "one")) if node.name == "sum" else node
        for node in graph.nodes
    )
    with pytest.raises(ValueError, match="norm: not after a convolution of its own"):
        plain_network(dataclasses.replace(graph, nodes=nodes))
