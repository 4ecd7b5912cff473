"""The float graph: a user's network as a model file holds it, its operators, checks and float evaluation."""

from pi_bench.network.graph.activation_nodes import (
    ClampNode,
    LeakyReluNode,
    PolynomialNode,
    PReluNode,
    ReluNode,
)
from pi_bench.network.graph.fields import node_from_fields, node_to_fields
from pi_bench.network.graph.graph import Graph
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
    Padding,
    padding_sides,
)
from pi_bench.network.graph.nodes import (
    ACTIVATIONS,
    OPERATORS,
    operator_name,
    range_names,
)
from pi_bench.shape import Pair, Shape

__all__ = [
    "ACTIVATIONS",
    "OPERATORS",
    "AdaptiveAvgPoolNode",
    "AddNode",
    "AvgPoolNode",
    "BatchNormNode",
    "ClampNode",
    "ConcatNode",
    "ConvNode",
    "FlattenNode",
    "Graph",
    "IdentityNode",
    "InputNode",
    "LeakyReluNode",
    "LinearNode",
    "MaxPoolNode",
    "Node",
    "OutputNode",
    "PReluNode",
    "PadNode",
    "Padding",
    "Pair",
    "PermuteNode",
    "PolynomialNode",
    "ReluNode",
    "ReshapeNode",
    "ScaleNode",
    "Shape",
    "SliceNode",
    "SubsampleNode",
    "TakeNode",
    "node_from_fields",
    "node_to_fields",
    "operator_name",
    "padding_sides",
    "range_names",
]
