"""A network with ReLU6, for tests."""

from dataclasses import replace

from pi_bench.network.graph import ClampNode, Graph, ReluNode


def relu6_graph(graph: Graph) -> Graph:
    """The graph with a ReLU6 in place of its ReLUs without mask; the values before them exceed 6."""
    clamped = {
        node.name: ClampNode(node.name, node.inputs, node.shape, low=0.0, high=6.0)
        for node in graph.nodes
        if isinstance(node, ReluNode) and node.mask is None
    }
    assert clamped
    before = {name for node in clamped.values() for name in node.inputs}
    ranges = {name: max(bound, 10.0) if name in before else bound for name, bound in graph.ranges.items()}
    return replace(graph, nodes=tuple(clamped.get(node.name, node) for node in graph.nodes), ranges=ranges)
