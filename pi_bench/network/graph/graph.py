"""The float operator graph of a user's network: model files hold it and the compiler reads it.

A graph is a sequence of nodes (`graph.nodes`) in static single assignment form: every node comes after its
inputs, the only `InputNode` first, the only `OutputNode` last. A node's name is the module path in the
user's network, is unique in the graph, and is also the name of the value that the node makes. Shapes leave
the batch out: ``(channels, height, width)`` or ``(features,)``.

Parameters are kept apart, float32, under names that the nodes cite. `pi_bench.network.graph.check`
validates a graph from an untrusted file, `pi_bench.network.graph.float_run` evaluates one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pi_bench.network.graph.activation_nodes import PolynomialNode, ReluNode
from pi_bench.network.graph.node import Node
from pi_bench.network.graph.nodes import ACTIVATIONS


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Graph:
    """A network with its weights and the ranges of its values in calibration.

    parameters: float32 arrays by the names that nodes cite.
    masks: bool arrays by the names that `ReluNode`s and `PolynomialNode`s cite.
    ranges: node name → largest |value| over the calibration inputs, also for `range_names`; empty before
        calibration.
    labels: class names, one per output feature, or none.
    meta: notes of the exporter (JSON values); the compiler reads ``meta["name"]`` alone.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> nodes = InputNode("x", (), (4,)), ReluNode("relu", ("x",), (4,)), OutputNode("o", ("relu",), (4,))
    >>> Graph(nodes, parameters={}, meta={"name": "tiny"})
    <Graph 'tiny': 3 nodes, 4 ReLUs>
    """

    nodes: tuple[Node, ...]
    parameters: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    ranges: Mapping[str, float] = dataclasses.field(default_factory=dict)
    labels: tuple[str, ...] = ()
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        """Leaves the arrays out, which would flood a notebook's screen."""
        name = self.meta.get("name", "network")
        return f"<Graph {name!r}: {len(self.nodes)} nodes, {self.relu_count:,} ReLUs>"

    @property
    def input(self) -> Node:
        """The node of the network's input."""
        return self.nodes[0]

    @property
    def output(self) -> Node:
        """The node of the network's output."""
        return self.nodes[-1]

    @property
    def relu_count(self) -> int:
        """The ReLUs (and clamps, leaky and parametric ReLUs) of one inference of one sample."""
        return sum(_relu_count(node, self.masks) for node in self.nodes)

    @property
    def polynomial_count(self) -> int:
        """The elements of polynomial activations without ReLU, of one inference of one sample."""
        polynomials = [node for node in self.nodes if isinstance(node, PolynomialNode)]
        return sum(math.prod(node.shape) - _relu_count(node, self.masks) for node in polynomials)


def _relu_count(node: Node, masks: Mapping[str, np.ndarray]) -> int:
    if isinstance(node, PolynomialNode):
        if node.relu is None:
            return 0
        mask = masks[node.relu]
        return int(np.count_nonzero(mask)) * (math.prod(node.shape) // mask.size)
    if isinstance(node, ReluNode) and node.mask is not None:
        return int(np.count_nonzero(masks[node.mask]))
    return math.prod(node.shape) if isinstance(node, ACTIVATIONS) else 0
