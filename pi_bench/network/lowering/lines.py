"""Lowers layers of one dimension: a line (channels, length) is computed as a map (channels, 1, length).

The translators of convolutions, pools and paddings take lines as maps of height 1 (`as_map`, `sizes`), and
give their result back as a line (`give`). `lines_as_maps` then removes the reshapes between such layers, so
that normalizations, activations and sums between them work on maps too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pi_bench.network.graph import (
    AddNode,
    BatchNormNode,
    ClampNode,
    ConcatNode,
    FlattenNode,
    IdentityNode,
    LeakyReluNode,
    Node,
    Pair,
    PolynomialNode,
    PReluNode,
    ReluNode,
    ReshapeNode,
    ScaleNode,
    Shape,
    SliceNode,
    TakeNode,
)
from pi_bench.network.lowering.state import FxNode, Lowering, pair, refuse, result_shape, stem

_PER_CHANNEL = (BatchNormNode, PolynomialNode, PReluNode)
"""Have parameters for the channels, which only maps and plain features have."""
_KEPT = (
    *(*_PER_CHANNEL, ReluNode, LeakyReluNode, ClampNode, ScaleNode, IdentityNode),
    *(AddNode, ConcatNode, SliceNode, TakeNode),
)
"""Do to a map of height 1 what they do to the line: they work by element, or along the channels."""


def is_line(shape: Shape) -> bool:
    """Tells if a value of this shape, without batch, is a line: (channels, length).

    >>> is_line((8, 100)), is_line((8, 1, 100))
    (True, False)
    """
    return len(shape) == 2


def map_of(lowering: Lowering, call: FxNode, argument: Any) -> Node:
    """Returns the operand of a layer as a map: a line for operators of one dimension, a map for others.

    Raises:
        ModelError: the operand is neither.

    >>> import torch
    >>> graph, lowering = torch.fx.Graph(), Lowering(sources={})
    >>> x = graph.placeholder("x")
    >>> lowering.add(x, ReshapeNode("x", (), (8, 100)))
    >>> map_of(lowering, graph.call_function(torch.ops.aten.max_pool1d.default, (x, 2)), x).shape
    (8, 1, 100)
    """
    source = lowering.value(call, argument)
    wanted = "(channels, length)" if "1d" in stem(call) else "(channels, height, width)"
    if len(source.shape) != len(wanted.split()):
        raise refuse(call, f"its input has shape {source.shape} without the batch; {wanted} is needed")
    return as_map(lowering, source)


def as_map(lowering: Lowering, source: Node) -> Node:
    """Returns a line as a map of height 1, and any other value as it is.

    >>> as_map(Lowering(sources={}), ReshapeNode("x", (), (8, 100))).shape
    (8, 1, 100)
    """
    if not is_line(source.shape):
        return source
    return _reshape(lowering, source, "map", (source.shape[0], 1, source.shape[1]))


def as_line(lowering: Lowering, source: Node) -> Node:
    """Returns a map of height 1 as a line.

    >>> as_line(Lowering(sources={}), ReshapeNode("x", (), (8, 1, 100))).shape
    (8, 100)
    """
    return _reshape(lowering, source, "line", (source.shape[0], source.shape[2]))


def give(lowering: Lowering, call: FxNode, made: Node) -> None:
    """Adds a map as the value of a call, as a line if the call gives one.

    >>> import torch
    >>> call, lowering = torch.fx.Graph().placeholder("x"), Lowering(sources={})
    >>> call.meta["val"] = torch.zeros(1, 8, 100)
    >>> give(lowering, call, ReshapeNode("conv", (), (8, 1, 100)))
    >>> lowering.values[call].name
    'conv.line'
    """
    lowering.add(call, made)
    if is_line(result_shape(call)):
        lowering.values[call] = as_line(lowering, made)


def map_shape(call: FxNode) -> Shape:
    """Returns the shape of a call's first result, without batch, as that of a map.

    >>> import torch
    >>> call = torch.fx.Graph().placeholder("x")
    >>> call.meta["val"] = torch.zeros(1, 8, 100)
    >>> map_shape(call)
    (8, 1, 100)
    """
    shape = result_shape(call)
    return (shape[0], 1, shape[1]) if is_line(shape) else shape


def sizes(call: FxNode, value: Any, height: int) -> Pair:
    """Expands the sizes of a window for both axes; `height` is that of a layer of one dimension.

    >>> import torch
    >>> call = torch.fx.Graph().placeholder("x")
    >>> call.meta["val"] = torch.zeros(1, 8, 100)
    >>> sizes(call, [3], 1)
    (1, 3)
    """
    rows, columns = pair(value)
    return (height if is_line(result_shape(call)) else rows, columns)


def lines_as_maps(
    nodes: Sequence[Node], masks: Mapping[str, np.ndarray]
) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Makes maps of the lines between layers of one dimension. Returns the nodes and their masks.

    Reshapes that nothing reads any more are among the nodes.

    >>> line = ReshapeNode("conv.line", ("conv",), (8, 100))
    >>> relu, back = ReluNode("relu", ("conv.line",), (8, 100)), ReshapeNode("r", ("relu",), (8, 1, 100))
    >>> conv, last = (ScaleNode(*ends, (8, 1, 100), 2.0, 0.0) for ends in (("conv", ()), ("last", ("r",))))
    >>> nodes, _ = lines_as_maps([conv, line, relu, back, last], {})
    >>> [(node.name, node.inputs) for node in nodes if node.name in ("relu", "last")]
    [('relu', ('conv',)), ('last', ('relu',))]
    """
    rewriting = _Rewriting(masks, {node.name for node in nodes})
    for node in nodes:
        rewriting.add(node)
    return rewriting.nodes, rewriting.masks


class _Rewriting:
    """The nodes so far, with the new names of values."""

    def __init__(self, masks: Mapping[str, np.ndarray], names: set[str]) -> None:
        self.nodes: list[Node] = []
        self._names = names
        self.masks = dict(masks)
        self._maps: dict[str, str] = {}  # by the name of a line, the name of the map with its elements
        self._renamed: dict[str, str] = {}  # by the name of a value before, the name of the same value now
        self._shapes: dict[str, Shape] = {}

    def add(self, node: Node) -> None:
        """Adds a node, on maps if its operands have maps."""
        if isinstance(node, ReshapeNode | FlattenNode) and self._takes_map(node):
            return
        on_maps = any(name in self._maps for name in node.inputs) or isinstance(node, _PER_CHANNEL)
        if isinstance(node, _KEPT) and is_line(node.shape) and on_maps:
            inputs = tuple(self._map_of(name) for name in node.inputs)
            shape = (node.shape[0], 1, node.shape[1])
            self._append(replace(node, inputs=inputs, shape=shape))
            back = ReshapeNode(self._unique(f"{node.name}.line"), (node.name,), node.shape)
            self._append(back)
            self._maps[node.name], self._renamed[node.name] = node.name, back.name
            mask = getattr(node, "mask", None) or getattr(node, "relu", None)
            if mask is not None and self.masks[mask].ndim > 1:
                self.masks[mask] = self.masks[mask].reshape(shape)
            return
        self._append(replace(node, inputs=tuple(self._renamed.get(name, name) for name in node.inputs)))

    def _takes_map(self, node: Node) -> bool:
        """Adds a reshape of a map to a line, or of a line that has a map; False for others."""
        (source,) = node.inputs
        if source in self._maps:
            if node.shape == self._shapes[self._maps[source]]:
                self._renamed[node.name] = self._maps[source]
            else:
                self._append(replace(node, inputs=(self._maps[source],)))
            return True
        source = self._renamed.get(source, source)
        before = self._shapes.get(source, ())
        if is_line(node.shape) and before == (node.shape[0], 1, node.shape[1]):
            self._append(replace(node, inputs=(source,)))
            self._maps[node.name] = source
            return True
        return False

    def _map_of(self, name: str) -> str:
        if name not in self._maps:
            source = self._renamed.get(name, name)
            channels, length = self._shapes[source]
            made = ReshapeNode(self._unique(f"{source}.map"), (source,), (channels, 1, length))
            self._append(made)
            self._maps[name] = made.name
        return self._maps[name]

    def _unique(self, name: str) -> str:
        unique = _unused(name, self._names)
        self._names.add(unique)
        return unique

    def _append(self, node: Node) -> None:
        self.nodes.append(node)
        self._shapes[node.name] = node.shape


def _reshape(lowering: Lowering, source: Node, suffix: str, shape: Shape) -> Node:
    for node in lowering.nodes:
        if isinstance(node, ReshapeNode) and node.inputs == (source.name,) and node.shape == shape:
            return node
    taken = {node.name for node in lowering.nodes} | lowering.reserved
    name = _unused(f"{source.name}.{suffix}", taken)
    return lowering.append(ReshapeNode(name, (source.name,), shape))


def _unused(name: str, taken: Collection[str]) -> str:
    candidates = (name if i == 1 else f"{name}_{i}" for i in range(1, len(taken) + 3))
    return next(candidate for candidate in candidates if candidate not in taken)
