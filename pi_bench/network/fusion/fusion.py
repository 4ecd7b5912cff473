"""Fusion of linear layers: a graph with fewer and larger linear operators, equal to the given one.

Layers with no ReLU between them are one linear operator, and DeepReDuce's culled stages are full
of such places (Jha et al., ICML 2021, section 5: merged at inference time). Unlike there, the padding
between fused layers is kept: a fused operator has kernels of its own along the borders, so the float
network stays the same up to rounding. Weights are composed in float64, before quantization; the program that
is compiled from the fused graph has its own integer reference.

`pi_bench.network.fusion.plan` chooses the layers to fuse.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from pi_bench.network.fusion.composition import Composer
from pi_bench.network.fusion.cost_table import ONE_MACHINE, Cost, CostTable
from pi_bench.network.fusion.forms import Form, barriers
from pi_bench.network.fusion.plan import Planner, materialized
from pi_bench.network.graph import Graph, Node
from pi_bench.network.graph.fused_node import FusedNode, FusedTerm
from pi_bench.network.linear_maps.linear_map import LinearMap


@dataclass(frozen=True, slots=True)
class Fusion:
    """A report of fused layers.

    Attributes:
        values: name → the weighted layers that now are one operator (with its borders).
        dissolved: linear values that are no longer computed, truncated and sent.
        before, after: the predicted costs of the linear part.
        kept: values that stay → the cost of the linear part if this value alone were dissolved too.
        planned_link: the name of the link by whose costs fusion planned; None for one machine.

    >>> Fusion({}, (), Cost(0.5, 100), Cost(0.4, 90), {}).after.online_s
    0.4
    """

    values: dict[str, tuple[str, ...]]
    dissolved: tuple[str, ...]
    before: Cost
    after: Cost
    kept: dict[str, Cost]
    planned_link: str | None = None


def fuse_linear(graph: Graph, weight_bits: int, table: CostTable = ONE_MACHINE) -> tuple[Graph, Fusion]:
    """Fuses linear layers where it saves online time; returns `graph` itself if nothing is gained.

    Args:
        table: the costs that decide, those of one machine by default.

    Raises:
        ModelError: the graph cannot be compiled at all.

    >>> import numpy as np
    >>> from pi_bench.network.graph import InputNode, LinearNode, OutputNode
    >>> layers = LinearNode("a", ("x",), (3,), "a", None), LinearNode("b", ("a",), (1,), "b", None)
    >>> nodes = InputNode("x", (), (2,)), *layers, OutputNode("o", ("b",), (1,))
    >>> graph = Graph(nodes, {"a": np.ones((3, 2), np.float32), "b": np.ones((1, 3), np.float32)})
    >>> fuse_linear(graph, weight_bits=10)[1].values
    {'b': ('a', 'b')}
    """
    planner = Planner(graph, weight_bits, table)
    everything, kept = planner.unfused(), planner.best()
    before, after = planner.cost(everything), planner.cost(kept)
    dissolved = tuple(name for name in everything if name not in kept)
    if not dissolved:
        return graph, Fusion({}, (), before, after, planner.alone(kept), table.link_name)
    fused = fuse_keeping(graph, kept, planner)
    values = {node.name: node.layers for node in fused.nodes if isinstance(node, FusedNode)}
    return fused, Fusion(values, dissolved, before, after, planner.alone(kept), table.link_name)


def fuse_keeping(graph: Graph, kept: Collection[str], planner: Planner) -> Graph:
    """Returns the graph in which linear layers are fused with the layers that read their values.

    Args:
        kept: names of the linear values that are still computed; their layers are not fused with readers.
        planner: chooses the layers that compute each fused map.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> graph = Graph((InputNode("x", (), (2,)), OutputNode("o", ("x",), (2,))), {})
    >>> [node.name for node in fuse_keeping(graph, (), Planner(graph, weight_bits=10)).nodes]
    ['x', 'o']
    """
    emission = _Emission(graph, kept, planner)
    return replace(graph, nodes=emission.nodes(), ranges=emission.ranges)


class _Emission:
    """Makes the nodes of a fused graph: `FusedNode`s for fused layers, copies of all others."""

    def __init__(self, graph: Graph, kept: Collection[str], planner: Planner) -> None:
        self._graph = graph
        self._planner = planner
        self._old = {node.name: node for node in graph.nodes}
        self._barriers = barriers(graph)
        self._composer = Composer(graph, kept)
        self._region = self._composer.region
        self.ranges = dict(graph.ranges)
        self._made: dict[str, Node] = {}

    def nodes(self) -> tuple[Node, ...]:
        needed = set(materialized(self._graph, self._region, self._barriers)) | self._barriers
        for node in self._graph.nodes:
            if node.name not in needed:
                continue
            shapes = {} if node.name in self._barriers else self._region.content(node.name)
            if any(len(term.layers) > 1 for term in shapes.values()):
                self._made[node.name] = self._fused(node, self._composer.form(node.name))
            else:
                self._copy(node)
        return tuple(self._live())

    def _live(self) -> list[Node]:
        """Leaves out barriers that only dissolved values read."""
        read = {self._graph.output.name}
        kept = []
        for node in reversed(self._made.values()):
            if node.name in read:
                kept.append(node)
                read.update(node.inputs)
        return kept[::-1]

    def _copy(self, node: Node) -> None:
        """Copies a node and the nodes between it and its sources."""
        inputs = tuple(self._region.resolve(source) for source in node.inputs)
        for source in inputs:
            if source not in self._made:
                self._copy(self._old[source])
        self._made[node.name] = replace(node, inputs=inputs)

    def _fused(self, node: Node, form: Form[LinearMap]) -> FusedNode:
        inputs: list[str] = []
        terms: list[FusedTerm] = []
        for source, term in form.items():
            pieces = (
                () if term.map is None else self._planner.pieces(term.map.shape, flat=len(node.shape) == 1)
            )
            inputs.append(source)
            terms.append(FusedTerm(term.plain.count(()), term.map, pieces, term.layers))
            for path in filter(None, term.plain):
                inputs.append(self._pooled(source, path))
                terms.append(FusedTerm(1, None, (), ()))
        return FusedNode(node.name, tuple(inputs), node.shape, tuple(terms))

    def _pooled(self, source: str, path: tuple[str, ...]) -> str:
        """Copies the pools of a path, each named after the source and itself; returns the name of the
        last."""
        below = source
        for pool in path:
            name = f"{below}.{pool}"
            if name not in self._made:
                self._made[name] = replace(self._old[pool], name=name, inputs=(below,))
                self.ranges[name] = self.ranges[below]  # a mean is no larger
            below = name
        return below
