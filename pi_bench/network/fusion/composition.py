"""The weights of fused layers: linear maps composed along all paths of a region, in float64.

Composition from the sources on costs as much as the sources have channels, composition from the value back
as much as the value has; the smaller side decides. A stage after three input channels is composed forwards,
and a stage that ends in a few logits backwards.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from pi_bench.network.fusion.forms import Form, Region, Term, axes_of, shape_region
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    Graph,
    LinearNode,
    Node,
    Shape,
)
from pi_bench.network.graph.batch_norm import gain_and_shift
from pi_bench.network.linear_maps.linear_map import LinearMap, MapShape


class Composer:
    """Forms of a graph's linear values with weights; `region` has the same forms over shapes alone.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> layers = LinearNode("a", ("x",), (3,), "a", None), LinearNode("b", ("a",), (1,), "b", None)
    >>> nodes = InputNode("x", (), (2,)), *layers, OutputNode("o", ("b",), (1,))
    >>> graph = Graph(nodes, {"a": np.ones((3, 2), np.float32), "b": np.ones((1, 3), np.float32)})
    >>> Composer(graph, kept=()).form("b")["x"].map.dense()[0]
    array([[3., 3.]])
    """

    def __init__(self, graph: Graph, kept: Collection[str]) -> None:
        self._graph = graph
        self._nodes = {node.name: node for node in graph.nodes}
        self._forwards: Region[LinearMap] = Region(graph, kept, self._weigh, self._normalize)
        self.region: Region[MapShape] = shape_region(graph, kept)

    def form(self, name: str) -> Form[LinearMap]:
        """Composes a linear value as a sum over its sources."""
        shapes = self.region.content(name)
        reads = sum(math.prod(self._nodes[source].shape) for source in shapes)
        if reads <= math.prod(self._nodes[name].shape):
            return self._forwards.content(name)
        maps = self._backwards(name)
        return {source: Term(term.plain, maps.get(source), term.layers) for source, term in shapes.items()}

    def _backwards(self, name: str) -> dict[str, LinearMap]:
        """Maps each source to the sum of its weighted paths to `name`."""
        region = self.region
        pending: dict[str, _Reach] = {name: _Reach([()], None)}
        found: dict[str, LinearMap] = {}
        for node in reversed(self._graph.nodes):
            reach = pending.pop(node.name, None)
            if reach is None:
                continue
            if node.name != name and region.is_source(node.name):
                if reach.map is not None:
                    found[node.name] = reach.map
                continue
            for number, (source, part) in enumerate(self._below(node, reach)):
                source = region.resolve(source)
                part = part if number == 0 else part.unbiased()
                pending[source] = pending[source].plus(part) if source in pending else part
        return found

    def _below(self, node: Node, reach: _Reach) -> list[tuple[str, _Reach]]:
        """Extends the paths from a node to the composed value by the node: one entry per input of the
        node."""
        if isinstance(node, AddNode):
            return [(source, reach) for source in node.inputs]
        if isinstance(node, AvgPoolNode):
            source = self.region.resolve(node.inputs[0])
            pool = self._weigh(node, self._nodes[source].shape, False)
            pooled = None if reach.map is None else reach.map.after(pool)
            return [(source, _Reach([(node, *path) for path in reach.plain], pooled))]
        layer, source = self._layer(node)
        parts = [] if reach.map is None else [reach.map.after(layer)]
        for path in reach.plain:
            total = layer
            for pool_node in path:
                total = self._weigh(pool_node, _shape(total), False).after(total)
            parts.append(total)
        total_map = parts[0]
        for part in parts[1:]:
            total_map = total_map.plus(part)
        return [(source, _Reach([], total_map))]

    def _layer(self, node: Node) -> tuple[LinearMap, str]:
        """Returns a weighted layer, batch normalizations after it folded in, and the value that it reads."""
        if isinstance(node, BatchNormNode):
            layer, source = self._layer(self._nodes[self.region.resolve(node.inputs[0])])
            return self._normalize(node, layer, True), source
        source, shape = self.region.operand(node)
        return self._weigh(node, shape, True), source

    def _weigh(self, node: Node, shape: Shape, biased: bool) -> LinearMap:
        rows, columns = axes_of(node, shape, self._graph)
        if isinstance(node, AvgPoolNode):
            taps = np.full((rows.extent, columns.extent), 1 / (rows.extent * columns.extent))
            return LinearMap.convolution(np.eye(shape[0])[:, :, None, None] * taps, rows, columns)
        assert isinstance(node, ConvNode | LinearNode)
        weight = self._parameter(node.weight).reshape(node.shape[0], shape[0], rows.extent, columns.extent)
        bias = self._parameter(node.bias) if biased and node.bias is not None else None
        return LinearMap.convolution(weight, rows, columns, bias)

    def _normalize(self, node: BatchNormNode, below: LinearMap, biased: bool) -> LinearMap:
        gain, shift = gain_and_shift(node, self._graph)
        return below.normalized(gain, shift if biased else np.zeros_like(shift))

    def _parameter(self, name: str) -> np.ndarray:
        return self._graph.parameters[name].astype(np.float64)


@dataclass(frozen=True)
class _Reach:
    """The paths from a value to the composed one.

    `plain` has, for each path without weights, the pools on it, nearest first. `map` is the sum of all other
    paths.
    """

    plain: list[tuple[AvgPoolNode, ...]]
    map: LinearMap | None

    def plus(self, other: _Reach) -> _Reach:
        both = self.map if other.map is None else other.map if self.map is None else self.map.plus(other.map)
        return _Reach([*self.plain, *other.plain], both)

    def unbiased(self) -> _Reach:
        """Drops constants, which belong to one of several inputs only."""
        return self if self.map is None else replace(self, map=self.map.unbiased())


def _shape(total: LinearMap) -> Shape:
    return (total.out_channels, total.rows.out_size, total.columns.out_size)
