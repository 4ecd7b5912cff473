"""Lists the layers of a graph with their weights and with the ranges of the channels that they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pi_bench.network.equalization.sharing import Sharing, input_channels
from pi_bench.network.graph import (
    AddNode,
    BatchNormNode,
    ConvNode,
    Graph,
    IdentityNode,
    LinearNode,
    Node,
    PolynomialNode,
)
from pi_bench.network.graph.batch_norm import gain_and_shift
from pi_bench.network.graph.float_run import chunks, evaluate

_RARE = 8.0
"""A channel whose ReLU lets through less than 1 / _RARE of the range before it counts less."""
_MIN = 2.0**-20
_LAYERS = (ConvNode, LinearNode, BatchNormNode)


@dataclass(frozen=True, slots=True, eq=False)
class WeightedLayer:
    """A layer that reads rounded values: float64 (out, columns) magnitudes of weights, and groups of factors.

    Attributes:
        groups: the groups of its input channels, each once, with their largest values and their numbers of
            channels.

    >>> one, two = np.ones(1), np.array([[0, 1]])
    >>> WeightedLayer(np.ones((1, 2)), two, np.array([2]), np.arange(2), np.ones(2), np.ones(2)).ranges
    array([1., 1.])
    """

    weights: np.ndarray
    inputs: np.ndarray  # groups (out, columns)
    outputs: np.ndarray  # groups (out,)
    groups: np.ndarray
    ranges: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class FoldedLayer:
    """A batch normalization or a polynomial that is folded into the layer before.

    `slopes` bound the change of each channel's value by a change of its input. `inputs` and `outputs` are the
    groups of both.

    >>> FoldedLayer(np.array([2.0]), inputs=np.array([1]), outputs=np.array([2])).slopes
    array([2.])
    """

    slopes: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray


def list_layers(sharing: Sharing, samples: np.ndarray) -> tuple[list[WeightedLayer], list[FoldedLayer]]:
    """Lists the layers in their order, with ranges from `samples` (batch, *input shape).

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> node = LinearNode("a", ("x",), (3,), "w", None)
    >>> graph = Graph((InputNode("x", (), (2,)), node, OutputNode("o", ("a",), (3,))), {"w": np.ones((3, 2))})
    >>> weighted, folded = list_layers(Sharing(graph), np.float32([[1, 5]]))
    >>> weighted[0].ranges, weighted[0].columns, folded
    (array([1., 5.]), array([1, 1]), [])
    """
    graph = sharing.graph
    weighted: list[WeightedLayer] = []
    folded: list[FoldedLayer] = []
    largest = _largest(graph, samples)
    results = _ranges(sharing, largest)
    ranges = _rounded_ranges(sharing, results)
    nodes = {node.name: node for node in graph.nodes}
    read = [name for node in graph.nodes for name in node.inputs]
    for node in graph.nodes:
        weights = _weights(node, graph, largest)
        if weights is None:
            continue
        source = _source(node, nodes)
        before, outputs = sharing.channel_groups(node.inputs[0]), sharing.channel_groups(node.name)
        folds = isinstance(source, _LAYERS) and read.count(source.name) == 1
        if folds and isinstance(node, BatchNormNode | PolynomialNode):
            folded.append(FoldedLayer(weights[:, 0], before, outputs))
            continue
        groups, columns = np.unique(before, return_counts=True)
        inputs = before[input_channels(node, weights.shape)]
        own, rounded = (of_value[node.inputs[0]] for of_value in (results, ranges))
        if weights.shape[1] == 1:
            weights = weights * _activity(own, rounded)[inputs]
        weighted.append(WeightedLayer(weights, inputs, outputs, groups, rounded[groups], columns))
    return weighted, folded


def _activity(own: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """Computes how much the weights of each group count: 1, or less where a ReLU hardly ever fires.

    A batch normalization of a channel that never fires has a huge gain, which changes no answer. This is for
    layers whose outputs read one channel each, where a large weight makes no other weight coarser.
    """
    return np.where(rounded > 0, _RARE * own / np.where(rounded > 0, rounded, 1.0), 1.0).clip(_MIN, 1.0)


def _largest(graph: Graph, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Measures the largest magnitude of each element of all values over the samples."""
    largest: dict[str, np.ndarray] = {}
    for part in chunks(graph, samples):
        for name, values in evaluate(graph, part).items():
            found = np.abs(values).max(axis=0)
            largest[name] = np.maximum(largest.get(name, found), found)
    return largest


def _ranges(sharing: Sharing, largest: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Computes the range of each group in each value, (groups,), 0 where the value does not have it."""
    ranges = {}
    for name, sizes in largest.items():
        ranges[name] = np.zeros(sharing.count)
        groups = np.broadcast_to(sharing.groups[name], sizes.shape)
        np.maximum.at(ranges[name], groups.reshape(-1), sizes.reshape(-1).astype(np.float64))
    return ranges


def _rounded_ranges(sharing: Sharing, results: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Adds the ranges that a value's windows hold besides its own, (groups,).

    An activation's window holds its input, and pools and moves of elements keep its scale. So a value has the
    range of the value before as well. Sums and layers get a new scale.
    """
    ranges: dict[str, np.ndarray] = {}
    for node in sharing.graph.nodes:
        own = results[node.name].copy()
        if not isinstance(node, (*_LAYERS, PolynomialNode, AddNode)):
            present = np.unique(sharing.groups[node.name])
            for name in node.inputs:
                own[present] = np.maximum(own[present], ranges[name][present])
        ranges[node.name] = own
    return ranges


def _source(node: Node, nodes: Mapping[str, Node]) -> Node:
    """Returns the node whose value `node` reads, identities skipped."""
    source = nodes[node.inputs[0]]
    return _source(source, nodes) if isinstance(source, IdentityNode) else source


def _weights(node: Node, graph: Graph, largest: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Returns the norms of a layer's weights over its kernel, (out, in / groups), or None for other nodes."""
    if isinstance(node, ConvNode | LinearNode):
        weights = graph.parameters[node.weight].astype(np.float64)
        norms: np.ndarray = np.sqrt((weights.reshape(*weights.shape[:2], -1) ** 2).sum(axis=2))
        return norms
    if isinstance(node, BatchNormNode):
        slopes = np.abs(gain_and_shift(node, graph)[0])
    elif isinstance(node, PolynomialNode):
        slopes = _slopes(node, graph, largest[node.inputs[0]])
    else:
        return None
    column: np.ndarray = slopes[:, None]
    return column


def _slopes(node: PolynomialNode, graph: Graph, sizes: np.ndarray) -> np.ndarray:
    """Bounds the slope of each channel's activation within the channel's range, float64 (channels,).

    A channel that has ReLUs counts as one of slope 1, since its value has the factor of its input.
    """
    table = graph.parameters[node.coefficients].astype(np.float64)
    sizes = sizes.reshape(len(sizes), -1).max(axis=1).astype(np.float64)
    powers = np.arange(1, table.shape[1])
    slopes: np.ndarray = (powers * np.abs(table[:, 1:]) * sizes[:, None] ** (powers - 1)).sum(axis=1)
    if node.relu is None:
        return slopes
    return np.where(graph.masks[node.relu].reshape(node.shape[0], -1).any(axis=1), 1.0, slopes)
