"""Validates a float graph from an untrusted model file: wiring, shapes, parameters, ranges."""

from __future__ import annotations

import math

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.graph import (
    AddNode,
    BatchNormNode,
    ConcatNode,
    ConvNode,
    Graph,
    InputNode,
    LinearNode,
    Node,
    OutputNode,
    PolynomialNode,
    PReluNode,
    ReluNode,
    Shape,
    range_names,
)
from pi_bench.network.graph.fused_node import FusedNode
from pi_bench.network.graph.shapes import fault, infer_shape, parameter

MAX_NODES = 4096
MAX_ELEMENTS = 1 << 26
"""Elements of one value of one sample; this also bounds the memory of an evaluation."""


def check_graph(graph: Graph, *, calibrated: bool = True) -> None:
    """Checks that the graph can be evaluated and, if `calibrated`, compiled.

    Raises:
        ModelError: the message names the node and says what is wrong with it.

    >>> nodes = InputNode("x", (), (4,)), ReluNode("relu", ("x",), (5,)), OutputNode("o", ("relu",), (5,))
    >>> check_graph(Graph(nodes, parameters={}))
    Traceback (most recent call last):
    pi_bench.errors.ModelError: relu 'relu' says shape (5,) where its inputs give (4,)
    """
    if not 2 <= len(graph.nodes) <= MAX_NODES:
        raise ModelError(f"the graph has {len(graph.nodes)} nodes; 2 to {MAX_NODES} are possible")
    _check_texts(graph)
    _check_wiring(graph.nodes)
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        expected = infer_shape(node, [shapes[name] for name in node.inputs], graph)
        if tuple(node.shape) != expected:
            raise fault(node, f"says shape {node.shape} where its inputs give {expected}")
        if not 1 <= math.prod(expected) <= MAX_ELEMENTS:
            raise fault(node, f"has {math.prod(expected)} elements; 1 to {MAX_ELEMENTS} are possible")
        shapes[node.name] = expected
        _check_parameters(node, graph)
    if graph.labels and len(graph.labels) != graph.output.shape[0]:
        raise ModelError(f"{len(graph.labels)} labels for {graph.output.shape[0]} outputs")
    if calibrated:
        _check_ranges(graph)


def _check_texts(graph: Graph) -> None:
    """Checks that names and labels, which reach terminals and the other party, have no control characters."""
    for node in graph.nodes:
        if not node.name.isprintable():
            raise fault(node, "has a name with control characters")
    if not all(
        isinstance(label, str) and label.isprintable() and len(label) <= 256 for label in graph.labels
    ):
        raise ModelError("a label is not a printable text of at most 256 characters")
    name = graph.meta.get("name", "network")
    if not isinstance(name, str) or not name.isprintable() or len(name) > 256:
        raise ModelError("the network's name is not a printable text of at most 256 characters")


def _check_wiring(nodes: tuple[Node, ...]) -> None:
    if not isinstance(nodes[0], InputNode) or not isinstance(nodes[-1], OutputNode):
        raise ModelError("the graph does not begin with its input and end with its output")
    seen: set[str] = set()
    used: set[str] = set()
    for position, node in enumerate(nodes):
        if node.name in seen:
            raise fault(node, "appears twice in the graph")
        if (isinstance(node, InputNode) and position > 0) or (
            isinstance(node, OutputNode) and position < len(nodes) - 1
        ):
            raise fault(node, "is a second input or output; a network has one of each")
        arity = 0 if isinstance(node, InputNode) else 2 if isinstance(node, AddNode) else 1
        most = 256 if isinstance(node, ConcatNode | FusedNode) else arity
        if not arity <= len(node.inputs) <= most:
            raise fault(node, f"has {len(node.inputs)} inputs, {arity} are needed")
        for name in node.inputs:
            if name not in seen:
                raise fault(node, f"reads {name!r}, which no earlier node makes")
        seen.add(node.name)
        used.update(node.inputs)
    unused = [node for node in nodes[:-1] if node.name not in used]
    if unused:
        raise fault(unused[0], "feeds no other node")


def _check_parameters(node: Node, graph: Graph) -> None:
    if isinstance(node, BatchNormNode | PolynomialNode | PReluNode) and len(node.shape) not in (1, 3):
        raise fault(
            node,
            f"has parameters for the channels of a value of shape {node.shape}; reshape that to (features,) "
            "or (channels, height, width) before",
        )
    if isinstance(node, ConvNode | LinearNode) and node.bias is not None:
        _check_vector(node, graph, node.bias)
    elif isinstance(node, BatchNormNode):
        for name in (node.weight, node.bias, node.mean, node.variance):
            if name is not None:
                _check_vector(node, graph, name)
        if not math.isfinite(node.epsilon) or node.epsilon < 0:
            raise fault(node, f"has epsilon {node.epsilon}")
        if float(graph.parameters[node.variance].min()) + node.epsilon <= 0:
            raise fault(node, "has a running variance that is not positive")
    elif isinstance(node, PReluNode):
        slopes = parameter(node, graph, node.weight)
        if slopes.shape not in ((1,), node.shape[:1]):
            raise fault(node, f"has slopes of shape {slopes.shape}, (1,) or {node.shape[:1]} is needed")
    elif isinstance(node, ReluNode) and node.mask is not None:
        mask = graph.masks.get(node.mask)
        if mask is None or mask.dtype != np.bool_ or mask.shape != tuple(node.shape):
            raise fault(node, f"needs the mask {node.mask!r}, bool of shape {node.shape}")
    elif isinstance(node, PolynomialNode):
        _check_polynomial(node, graph)


def _check_polynomial(node: PolynomialNode, graph: Graph) -> None:
    table, channels = parameter(node, graph, node.coefficients), node.shape[0]
    if table.shape not in ((channels, 3), (channels, 4)):
        raise fault(
            node, f"has coefficients of shape {table.shape}; {(channels, 3)} or {(channels, 4)} is needed"
        )
    mask = None if node.relu is None else graph.masks.get(node.relu)
    shapes = {(channels,), tuple(node.shape)}
    if node.relu is not None and (mask is None or mask.dtype != np.bool_ or mask.shape not in shapes):
        allowed = " or ".join(map(str, sorted(shapes, key=len)))
        raise fault(node, f"needs the mask {node.relu!r}, bool of shape {allowed}")


def _check_vector(node: Node, graph: Graph, name: str) -> None:
    vector = parameter(node, graph, name)
    if vector.shape != (node.shape[0],):
        raise fault(node, f"has a parameter {name!r} of shape {vector.shape}, {(node.shape[0],)} is needed")


def _check_ranges(graph: Graph) -> None:
    for node in graph.nodes:
        for name in (node.name, *range_names(node).values()):
            value = graph.ranges.get(name)
            if value is None:
                raise fault(node, "has no calibrated range: export the network with calibration inputs")
            if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise fault(node, f"has the calibrated range {value!r}; a finite number is needed")
