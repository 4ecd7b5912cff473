"""Linear regions of a graph as sums over their sources, on which fusion decides and from which it emits.

Between activations a network is linear. With some of its linear values *kept* (the compiler brings them
back to an activation's scale), every other linear value is a sum of terms, each of one source: an
activation, the input, or a kept value. A term is the source itself, perhaps pooled, or a linear map of
it that equals all weighted layers on all paths in between.

The same walk serves planning, over shapes alone (`MapShape`), and emission, over weights (`LinearMap`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, Self, TypeVar

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
    Shape,
    padding_sides,
)
from pi_bench.network.linear_maps.linear_map import Axis, MapShape


class Map(Protocol):
    """The operations on linear maps that forms need: composition and addition.

    >>> from pi_bench.network.linear_maps.linear_map import LinearMap
    >>> all(hasattr(kind, name) for kind in (LinearMap, MapShape) for name in ("after", "plus"))
    True
    """

    def after(self, first: Self) -> Self: ...
    def plus(self, other: Self) -> Self: ...


M = TypeVar("M", bound=Map)


@dataclass(frozen=True)
class Term(Generic[M]):
    """The part of a linear value that comes from one source.

    Attributes:
        plain: the paths without weights, each a tuple of the pools on it.
        map: the sum of the other paths.
        layers: names the weighted layers in the map.

    >>> Term(plain=((),)).plus(Term(plain=(("pool",),))).plain
    ((), ('pool',))
    """

    plain: tuple[tuple[str, ...], ...] = ()
    map: M | None = None
    layers: tuple[str, ...] = ()

    def plus(self, other: Term[M]) -> Term[M]:
        """Adds a term of the same source."""
        both = self.map if other.map is None else other.map if self.map is None else self.map.plus(other.map)
        layers = (*self.layers, *(name for name in other.layers if name not in self.layers))
        return Term(self.plain + other.plain, both, layers)


Form = dict[str, Term[M]]
"""A linear value: source → term."""


@dataclass
class Region(Generic[M]):
    """The forms of a graph's linear values.

    Attributes:
        kept: names of linear values that are sources.
        weigh: makes the map of a convolution, fully connected layer or pool by itself, with its bias or (for
            all but the first of several terms) without.
        normalize: makes a map followed by a batch normalization, likewise.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> nodes = InputNode("x", (), (2,)), AddNode("sum", ("x", "x"), (2,)), OutputNode("o", ("sum",), (2,))
    >>> region = Region(Graph(nodes, {}), (), weigh=lambda *_: None, normalize=lambda *_: None)
    >>> region.form("sum")["x"].plain  # x twice, without weights
    ((), ())
    """

    graph: Graph
    kept: Collection[str]
    weigh: Callable[[Node, Shape, bool], M]
    normalize: Callable[[BatchNormNode, M, bool], M]
    _nodes: Mapping[str, Node] = field(init=False)
    _barriers: Collection[str] = field(init=False)
    _forms: dict[str, Form[M]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._nodes = {node.name: node for node in self.graph.nodes}
        self._barriers = barriers(self.graph)

    def resolve(self, name: str) -> str:
        """Returns the value of `name` with identities skipped."""
        while isinstance(node := self._nodes[name], IdentityNode):
            name = node.inputs[0]
        return name

    def form(self, name: str) -> Form[M]:
        """Returns the form of a value as its readers see it; a source is a term of itself.

        Raises:
            ValueError: two paths from one source have strides that cannot be summed.
        """
        name = self.resolve(name)
        return {name: Term(plain=((),))} if self.is_source(name) else self.content(name)

    def is_source(self, name: str) -> bool:
        """Tells if the value is kept or a barrier."""
        return name in self.kept or name in self._barriers

    def content(self, name: str) -> Form[M]:
        """Returns the form by which a linear value is computed. A kept value has such a form too."""
        if name not in self._forms:
            self._forms[name] = self._content(self._nodes[name])
        return self._forms[name]

    def _content(self, node: Node) -> Form[M]:
        if isinstance(node, AddNode):
            left, right = (self.form(name) for name in node.inputs)
            shared = {name: left[name].plus(right[name]) for name in left if name in right}
            return {**left, **right, **shared}
        if isinstance(node, BatchNormNode):
            terms = self.form(node.inputs[0])
            return {
                name: replace(term, map=self.normalize(node, _map(term), number == 0))
                for number, (name, term) in enumerate(terms.items())
            }
        source, shape = self.operand(node)
        return {
            name: self._applied(node, shape, term, number == 0)
            for number, (name, term) in enumerate(self.form(source).items())
        }

    def operand(self, node: Node) -> tuple[str, Shape]:
        """Returns the value that a weighted layer or pool reads, before a flattening, and its shape."""
        source = self.resolve(node.inputs[0])
        below = self._nodes[source]
        if isinstance(node, LinearNode) and isinstance(below, FlattenNode) and source not in self.kept:
            source = self.resolve(below.inputs[0])
        return source, self._nodes[source].shape

    def _applied(self, node: Node, shape: Shape, term: Term[M], biased: bool) -> Term[M]:
        if isinstance(node, AvgPoolNode):
            pooled = None if term.map is None else self.weigh(node, shape, False).after(term.map)
            return Term(tuple((*path, node.name) for path in term.plain), pooled, term.layers)
        parts = [] if term.map is None else [self.weigh(node, shape, biased).after(term.map)]
        for path in term.plain:
            total = self.weigh(node, shape, biased and not parts)
            for name in reversed(path):
                pool = self._nodes[name]
                total = total.after(self.weigh(pool, self._nodes[self.resolve(pool.inputs[0])].shape, False))
            parts.append(total)
        total_map = parts[0]
        for part in parts[1:]:
            total_map = total_map.plus(part)
        return Term((), total_map, (*term.layers, node.name))


def shape_region(graph: Graph, kept: Collection[str]) -> Region[MapShape]:
    """Returns the region over the shapes of maps, without their weights. `kept` is that of `Region`.

    >>> import numpy as np
    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> layer = LinearNode("a", ("x",), (3,), "a", None)
    >>> nodes = InputNode("x", (), (2,)), layer, OutputNode("o", ("a",), (3,))
    >>> region = shape_region(Graph(nodes, {"a": np.ones((3, 2), np.float32)}), kept=())
    >>> region.form("a")["x"].map.out_channels
    3
    """

    def weigh(node: Node, shape: Shape, biased: bool) -> MapShape:
        del biased
        rows, columns = axes_of(node, shape, graph)
        return MapShape(rows, columns, node.shape[0], shape[0])

    return Region(graph, kept, weigh, lambda node, shape, biased: shape)


def axes_of(node: Node, shape: Shape, graph: Graph) -> tuple[Axis, Axis]:
    """Returns the rows and columns of a weighted layer or pool.

    A fully connected layer is a convolution whose kernel is the whole map.

    Args:
        shape: the shape of its operand, (channels, height, width) or (features,).

    >>> pool = AvgPoolNode("pool", ("x",), (8, 2, 2), (2, 2), (2, 2), (0, 0))
    >>> rows, columns = axes_of(pool, (8, 4, 4), Graph((), {}))
    >>> rows.stride, rows.extent, rows.out_size
    (2, 2, 2)
    """
    height, width = (*shape, 1, 1)[1:3]
    if isinstance(node, LinearNode):
        return Axis.of(height, 1, 1, 0, height), Axis.of(width, 1, 1, 0, width)
    assert isinstance(node, ConvNode | AvgPoolNode)
    top, _, left, _ = padding_sides(node.padding)
    kernel = graph.parameters[node.weight].shape[2:] if isinstance(node, ConvNode) else node.kernel
    rows, columns = (
        Axis.of(*sizes)
        for sizes in zip((height, width), node.shape[1:], node.stride, (top, left), kernel, strict=True)
    )
    return rows, columns


def barriers(graph: Graph) -> set[str]:
    """Finds the values that fusion cannot look through.

    These are the input, activations, all that is no linear operator of one or two maps, and batch
    normalizations that do not fold into the layer before them.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> nodes = InputNode("x", (), (2,)), AddNode("sum", ("x", "x"), (2,)), OutputNode("o", ("sum",), (2,))
    >>> sorted(barriers(Graph(nodes, {})))
    ['o', 'x']
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    found: set[str] = set()
    kinds = {node.name: type(node) for node in graph.nodes}
    for node in graph.nodes:
        if isinstance(node, BatchNormNode):
            (below,) = node.inputs
            folds = issubclass(kinds[below], ConvNode | LinearNode | BatchNormNode) and readers[below] == 1
            if not folds or below in found:
                found.add(node.name)
        elif not _is_plain(node):
            found.add(node.name)
    return found


def _is_plain(node: Node) -> bool:
    """Tells if `Region` and `Axis` can express the operator."""
    if isinstance(node, ConvNode):
        return node.groups == 1 and node.dilation == (1, 1)
    if isinstance(node, AvgPoolNode):
        counted = node.count_padding or not any(padding_sides(node.padding))
        return counted and not node.ceil and node.divisor is None
    return isinstance(node, AddNode | LinearNode | IdentityNode)


def _map(term: Term[M]) -> M:
    assert term.map is not None and not term.plain  # is_wall: a normalized value has weights
    return term.map
