"""Clamps with two bounds, such as ReLU6: the ReLUs that they take compared with plain ReLUs."""

from __future__ import annotations

import math
from dataclasses import replace

from pi_bench.network.graph import ClampNode, Graph, Node, ReluNode
from pi_bench.network.program import Program


def clamped_count(graph: Graph) -> int:
    """Counts the output elements of all clamps with two bounds, such as ReLU6, for one sample.

    >>> relu6 = ClampNode("relu6", ("x",), (3,), low=0.0, high=6.0)
    >>> clamped_count(Graph((relu6,), {}))
    3
    """
    return sum(math.prod(node.shape) for node in graph.nodes if _has_two_bounds(node))


def upper_relu_count(graph: Graph, program: Program) -> int:
    """Counts the ReLUs of a program that serve the upper bound of a clamp. `graph` was compiled to it.

    A clamp that cannot reach its upper bound has none.

    >>> from pi_bench.network.compiler import compile_graph
    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> relu6 = ClampNode("relu6", ("x",), (3,), low=0.0, high=6.0)
    >>> nodes = InputNode("x", (), (3,)), relu6, OutputNode("o", ("relu6",), (3,))
    >>> for largest in (9.0, 1.0):
    ...     ranges = dict.fromkeys(("x", "relu6", "o"), largest)
    ...     graph = Graph(nodes, {}, ranges=ranges, meta={"name": "n"})
    ...     upper_relu_count(graph, compile_graph(graph)[0])
    3
    0
    """
    counts: dict[str, list[int]] = {node.name: [] for node in graph.nodes if _has_two_bounds(node)}
    for op in program.activation_ops:
        if op.name in counts:
            counts[op.name].append(op.relu_count)
    return sum(sum(found[1:]) for found in counts.values())  # the first is that of the lower bound


def with_relus(graph: Graph) -> Graph:
    """Returns the graph with a ReLU in place of each clamp from 0 to an upper bound, such as ReLU6.

    It computes something else. It serves to predict the cost of a network that is trained with ReLUs.

    >>> relu6 = ClampNode("relu6", ("x",), (3,), low=0.0, high=6.0)
    >>> type(with_relus(Graph((relu6,), {})).nodes[0]).__name__
    'ReluNode'
    """
    nodes = tuple(
        ReluNode(node.name, node.inputs, node.shape)
        if isinstance(node, ClampNode) and node.low == 0 and node.high is not None
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def _has_two_bounds(node: Node) -> bool:
    return isinstance(node, ClampNode) and node.low is not None and node.high is not None
