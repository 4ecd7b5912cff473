"""Chooses the linear values that fusion dissolves into their readers: a search over public shapes.

A linear value that weights are applied to costs a truncation of each element and a message each way.
Dissolving it means larger kernels for its readers, fewer layers and fewer rounds. Which of them pays depends
on the shapes. After a culled stage and global pooling, four convolutions become one fully connected layer;
between two wide convolutions, fusion only makes the products larger.

The objective is the predicted online time by a table of public costs. Without a link, the condition is that
the offline bytes do not grow. The search takes single values and whole regions as changes until none helps.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

from pi_bench.crypto.he import LinearPlan, LinearShape
from pi_bench.errors import ModelError
from pi_bench.network.fusion.cost_table import (
    IMPOSSIBLE,
    LAYER_S,
    MAC_S,
    ONE_MACHINE,
    TRUNCATION_BYTES,
    Cost,
    CostTable,
)
from pi_bench.network.fusion.forms import Form, M, Region, barriers, shape_region
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    Graph,
    IdentityNode,
    LinearNode,
    Node,
)
from pi_bench.network.linear_maps.linear_map import MapShape
from pi_bench.network.linear_maps.pieces import Piece, pieces_of


class Planner:
    """Chooses the linear values that stay values of their own, because the network is cheaper with them.

    Args:
        table: the costs of a round, and whether offline bytes may grow.

    >>> import numpy as np
    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> layers = LinearNode("a", ("x",), (3,), "a", None), LinearNode("b", ("a",), (1,), "b", None)
    >>> nodes = InputNode("x", (), (2,)), *layers, OutputNode("o", ("b",), (1,))
    >>> graph = Graph(nodes, {"a": np.ones((3, 2), np.float32), "b": np.ones((1, 3), np.float32)})
    >>> planner = Planner(graph, weight_bits=10)
    >>> planner.unfused(), planner.best()
    (('a',), ())
    """

    def __init__(self, graph: Graph, weight_bits: int, table: CostTable = ONE_MACHINE) -> None:
        self._graph = graph
        self._table = table
        self._weight_bits = weight_bits
        self._nodes = {node.name: node for node in graph.nodes}
        self._barriers = barriers(graph)
        self._chosen: dict[tuple[MapShape, bool], tuple[Cost, tuple[Piece, ...]]] = {}
        resolve = shape_region(graph, ()).resolve
        self._readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in () if isinstance(node, IdentityNode) else node.inputs:
                self._readers.setdefault(resolve(name), []).append(node)

    def unfused(self) -> tuple[str, ...]:
        """Returns the values that the compiler keeps by itself, in the graph's order."""
        kept: list[str] = []
        region = shape_region(self._graph, kept)  # sees the nodes that are appended below
        for node in self._graph.nodes:
            readers = self._readers.get(node.name, [])
            if node.name in self._barriers or not readers or _folds(node, readers):
                continue
            several = len(readers) > 1
            operand = any(isinstance(r, ConvNode | LinearNode | AvgPoolNode | FlattenNode) for r in readers)
            form = region.content(node.name) if isinstance(node, _LINEAR) else {}
            weighted = any(term.map is not None for term in form.values())
            if (several or operand) and (weighted or len(form) > 1):
                kept.append(node.name)
        return tuple(kept)

    def best(self) -> tuple[str, ...]:
        """Returns the kept values of the cheapest plan found; those of `unfused` if nothing is gained."""
        everything = self.unfused()
        free = tuple(name for name in everything if self._is_weighted(name, everything))
        base = self.cost(everything)
        best, best_cost = frozenset(everything), base
        improved = True
        while improved:
            improved = False
            for change in self._changes(best, free):
                kept = best ^ change
                cost = self.cost(kept)
                allowed = self._table.offline_may_grow or cost.offline_bytes <= base.offline_bytes
                if allowed and cost.online_s < best_cost.online_s * (1 - 1e-9):
                    best, best_cost, improved = kept, cost, True
        return tuple(name for name in everything if name in best)

    def alone(self, kept: Collection[str]) -> dict[str, Cost]:
        """Computes, for each kept value that could be dissolved, the cost of the plan without it."""
        everything = self.unfused()
        return {
            name: self.cost([other for other in kept if other != name])
            for name in kept
            if self._is_weighted(name, everything)
        }

    def _changes(self, kept: frozenset[str], free: tuple[str, ...]) -> Iterator[frozenset[str]]:
        """Yields runs of neighbors in a region to dissolve together, longest first, then single values,
        either way.
        """
        for run in self._runs(free):
            if not run.isdisjoint(kept):
                yield run & kept
        for name in free:
            yield frozenset([name])

    def _runs(self, free: tuple[str, ...]) -> list[frozenset[str]]:
        region = shape_region(self._graph, free)
        groups: list[list[str]] = []
        for name in free:
            if groups and not set(region.content(name)).isdisjoint(groups[-1]):
                groups[-1].append(name)
            else:
                groups.append([name])
        runs = [
            frozenset(group[start : start + length])
            for group in groups
            for length in range(2, min(len(group), _LONGEST_RUN) + 1)
            for start in range(len(group) - length + 1)
        ]
        return sorted(runs, key=len, reverse=True)

    def _is_weighted(self, name: str, kept: Collection[str]) -> bool:
        region = shape_region(self._graph, kept)
        return any(term.map is not None for term in region.content(name).values())

    def cost(self, kept: Collection[str]) -> Cost:
        """Predicts the cost of a whole inference, apart from ReLUs."""
        region = shape_region(self._graph, kept)
        total = Cost()
        try:
            for name in materialized(self._graph, region, self._barriers):
                total += self._form_cost(region.content(name), len(self._nodes[name].shape) == 1)
                if name in kept:
                    count = math.prod(self._nodes[name].shape)
                    online_s = count * self._table.truncation_s + self._table.round_s
                    total += Cost(online_s, count * TRUNCATION_BYTES)
        except ValueError:  # strides that cannot be summed
            return IMPOSSIBLE
        return total

    def _form_cost(self, form: Form[MapShape], flat: bool) -> Cost:
        maps = (term.map for term in form.values() if term.map is not None)
        return sum((self._choose(shape, flat)[0] for shape in maps), Cost())

    def pieces(self, shape: MapShape, *, flat: bool) -> tuple[Piece, ...]:
        """Returns the cheapest layers that compute a map.

        Args:
            flat: whether its result is a vector.
        """
        return self._choose(shape, flat)[1]

    def _choose(self, shape: MapShape, flat: bool) -> tuple[Cost, tuple[Piece, ...]]:
        key = shape, flat
        if key not in self._chosen:
            ways = pieces_of(shape.rows, shape.columns, shape.out_channels, shape.in_channels)
            priced = [
                (_cost_of(pieces, self._weight_bits), pieces)
                for pieces in ways
                if not flat or pieces[0].kind == "dense"
            ]
            self._chosen[key] = min(priced, key=lambda way: way[0].online_s, default=(IMPOSSIBLE, ()))
        return self._chosen[key]


_LINEAR = (AddNode, AvgPoolNode, BatchNormNode, ConvNode, LinearNode)
_LONGEST_RUN = 24


def materialized(graph: Graph, region: Region[M], barrier_names: Collection[str]) -> list[str]:
    """Lists the linear values that are computed, in the graph's order: read by barriers, or kept and needed.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> nodes = InputNode("x", (), (2,)), AddNode("sum", ("x", "x"), (2,)), OutputNode("o", ("sum",), (2,))
    >>> graph = Graph(nodes, {})
    >>> region = Region(graph, (), weigh=lambda *_: None, normalize=lambda *_: None)
    >>> materialized(graph, region, barriers(graph))
    ['sum']
    """
    nodes = {node.name: node for node in graph.nodes}
    needed: set[str] = set()
    pending = [graph.output.name]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in barrier_names:
            pending.extend(region.resolve(source) for source in nodes[name].inputs)
        else:
            needed.add(name)
            pending.extend(region.content(name))
    return [node.name for node in graph.nodes if node.name in needed]


def _cost_of(pieces: Iterable[Piece], weight_bits: int) -> Cost:
    total = Cost()
    for piece in pieces:
        height, width = len(piece.rows), len(piece.columns)
        shape = LinearShape(
            piece.kind,
            (1, piece.in_channels, height, width),
            (1, piece.out_channels, *piece.out_size),
            piece.kernel,
            piece.stride,
            piece.padding,
        )
        sent_bytes = _sent_bytes(shape, weight_bits)
        if sent_bytes is None:
            return IMPOSSIBLE
        total += Cost(piece.mac_count * MAC_S + LAYER_S, sent_bytes)
    return total


@lru_cache(maxsize=1 << 12)
def _sent_bytes(shape: LinearShape, weight_bits: int) -> int | None:
    """Returns the bytes of both directions of a product, or None if it is too large to pack.

    Plans for several links ask for the same products.
    """
    try:
        plan = LinearPlan.of(shape, weight_bits)
    except ModelError:
        return None
    return plan.upload_bytes + plan.response_bytes


def _folds(node: Node, readers: list[Node]) -> bool:
    """Tells if a layer is absorbed by its batch normalization."""
    return (
        len(readers) == 1
        and isinstance(readers[0], BatchNormNode)
        and isinstance(node, ConvNode | LinearNode | BatchNormNode)
    )
