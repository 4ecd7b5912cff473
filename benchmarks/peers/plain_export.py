"""From the float graph of a model file to a `PlainNetwork`: batch normalization folded, nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.plain_network import PlainNetwork
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    Graph,
    IdentityNode,
    InputNode,
    LinearNode,
    Node,
    OutputNode,
    ReluNode,
)


def plain_network(graph: Graph) -> PlainNetwork:
    """Returns the network in the plain form that other systems read.

    Raises:
        ValueError: a masked ReLU, a padded pooling, or a normalization not after a convolution.
    """
    nodes: list[dict[str, Any]] = []
    weights = {name: np.asarray(value, np.float32) for name, value in graph.parameters.items()}
    for node in graph.nodes:
        if isinstance(node, BatchNormNode):
            _fold(graph, node, nodes, weights)
        nodes.append({"name": node.name, "inputs": list(node.inputs) or [""]} | _settings(node))
    used = {entry.get(kind) for entry in nodes for kind in ("weight", "bias")}
    return PlainNetwork(graph.input.shape, nodes, {name: weights[name] for name in weights if name in used})


def _settings(node: Node) -> dict[str, Any]:
    match node:
        case InputNode() | OutputNode() | IdentityNode() | BatchNormNode():
            return {"op": "identity"}
        case ConvNode():
            settings = {"op": "conv", "weight": node.weight, "bias": node.bias}
            return settings | {"stride": node.stride, "padding": node.padding}
        case LinearNode():
            return {"op": "linear", "weight": node.weight, "bias": node.bias}
        case ReluNode(mask=None):
            return {"op": "relu"}
        case AddNode():
            return {"op": "add"}
        case AvgPoolNode(padding=(0, 0)):
            return {"op": "avg_pool", "kernel": node.kernel, "stride": node.stride}
        case FlattenNode():
            return {"op": "flatten"}
    raise ValueError(f"{node.name}: the peers' networks have no {type(node).__name__} like this one")


def _fold(
    graph: Graph, node: BatchNormNode, nodes: list[dict[str, Any]], weights: dict[str, np.ndarray]
) -> None:
    """Scales the convolution before `node` and gives it the bias; `node` itself becomes an identity."""
    (conv,) = (entry for entry in nodes if entry["name"] == node.inputs[0])
    readers = [other.name for other in graph.nodes if conv["name"] in other.inputs]
    if conv["op"] != "conv" or readers != [node.name]:
        raise ValueError(f"{node.name}: not after a convolution of its own")
    gain = 1.0 if node.weight is None else weights[node.weight]
    shift = 0.0 if node.bias is None else weights[node.bias]
    scale = gain / np.sqrt(weights[node.variance] + np.float32(node.epsilon))
    bias = 0.0 if conv["bias"] is None else weights[conv["bias"]]
    folded = conv["weight"], f"{conv['name']}.folded_bias"
    weights[folded[0]] = (weights[folded[0]] * scale[:, None, None, None]).astype(np.float32)
    weights[folded[1]] = (shift + (bias - weights[node.mean]) * scale).astype(np.float32)
    conv["bias"] = folded[1]
