"""The operators of a float graph by name. Shapes leave the batch out; a value has the name of its node."""

from __future__ import annotations

from collections.abc import Mapping

from pi_bench.network.graph.activation_nodes import (
    ClampNode,
    LeakyReluNode,
    PolynomialNode,
    PReluNode,
    ReluNode,
)
from pi_bench.network.graph.layer_nodes import (
    AdaptiveAvgPoolNode,
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConcatNode,
    ConvNode,
    LinearNode,
    MaxPoolNode,
    ScaleNode,
)
from pi_bench.network.graph.movement_nodes import (
    FlattenNode,
    PadNode,
    PermuteNode,
    ReshapeNode,
    SliceNode,
    SubsampleNode,
    TakeNode,
)
from pi_bench.network.graph.node import (
    IdentityNode,
    InputNode,
    Node,
    OutputNode,
)

ACTIVATIONS = (ReluNode, ClampNode, LeakyReluNode, PReluNode)
"""Nodes that count as ReLUs of the network, one per element."""

OPERATORS: Mapping[str, type[Node]] = {
    "input": InputNode,
    "conv": ConvNode,
    "linear": LinearNode,
    "batch_norm": BatchNormNode,
    "scale": ScaleNode,
    "relu": ReluNode,
    "clamp": ClampNode,
    "leaky_relu": LeakyReluNode,
    "prelu": PReluNode,
    "polynomial": PolynomialNode,
    "add": AddNode,
    "concat": ConcatNode,
    "avg_pool": AvgPoolNode,
    "adaptive_avg_pool": AdaptiveAvgPoolNode,
    "max_pool": MaxPoolNode,
    "flatten": FlattenNode,
    "reshape": ReshapeNode,
    "permute": PermuteNode,
    "slice": SliceNode,
    "subsample": SubsampleNode,
    "take": TakeNode,
    "pad": PadNode,
    "identity": IdentityNode,
    "output": OutputNode,
}
"""The names of operators in files and messages."""

_OPERATOR_NAMES = {kind: name for name, kind in OPERATORS.items()}


_INSIDE = (
    *("scaled", "root", "inner", "cube", "joined"),
    *("spread scaled", "spread root", "spread inner", "spread cube"),
)


def range_names(node: Node) -> dict[str, str]:
    """Maps each value inside a polynomial activation to its name in a graph's ranges.

    Other nodes have no values inside. `graph.polynomials` explains the values.

    >>> range_names(PolynomialNode("act", ("x",), (4,), "act.coefficients"))["root"]
    'act#root'
    >>> range_names(ReluNode("relu", ("x",), (4,)))
    {}
    """
    inside = _INSIDE if isinstance(node, PolynomialNode) else ()
    return {value: f"{node.name}#{value}" for value in inside}


def operator_name(node: Node) -> str:
    """Returns the name of a node's operator in files and messages.

    >>> operator_name(ReluNode("layer1.0.relu", ("x",), (4,)))
    'relu'
    """
    return _OPERATOR_NAMES.get(type(node), "fused")
