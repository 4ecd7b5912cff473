"""Finds the elements of a graph's values whose factors must be equal.

Convolutions, fully connected layers and batch normalizations absorb any factor of an input channel and of an
output channel in their parameters. ReLUs and their relatives, pools, sums and moves of elements let a
positive factor through. A public number that is added or compared (the 6 of ReLU6) needs the factor 1, and so
does the network's output. The input's factors are public (`equalization.input_factors`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pi_bench.network.graph import (
    AdaptiveAvgPoolNode,
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ClampNode,
    ConcatNode,
    ConvNode,
    FlattenNode,
    Graph,
    IdentityNode,
    InputNode,
    LeakyReluNode,
    LinearNode,
    MaxPoolNode,
    Node,
    PadNode,
    PermuteNode,
    PolynomialNode,
    PReluNode,
    ReluNode,
    ReshapeNode,
    ScaleNode,
    Shape,
    SliceNode,
    SubsampleNode,
    TakeNode,
)

FIXED = 0
"""The group of the elements whose factor is 1."""


class Sharing:
    """The groups of equal factors.

    `groups` maps each value's name to group numbers, an integer array that broadcasts to the value's shape.
    Numbers are at least 0 and below `count`. `public` lists the groups whose factors are public.

    >>> from pi_bench.network.graph import OutputNode
    >>> layers = LinearNode("a", ("x",), (3,), "a", None), ReluNode("relu", ("a",), (3,))
    >>> last = LinearNode("b", ("relu",), (1,), "b", None), OutputNode("out", ("b",), (1,))
    >>> sharing = Sharing(Graph((InputNode("x", (), (2,)), *layers, *last), {}))
    >>> {name: numbers.tolist() for name, numbers in sharing.groups.items()}
    {'x': [1, 2], 'a': [3, 4, 5], 'relu': [3, 4, 5], 'b': [0], 'out': [0]}
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._parents = [FIXED]
        self._shapes = {node.name: node.shape for node in graph.nodes}
        groups: dict[str, np.ndarray] = {}
        self.groups: Mapping[str, np.ndarray] = groups
        for node in graph.nodes:
            rule = _RULES.get(type(node))
            groups[node.name] = self._fixed(node) if rule is None else rule(self, node)
        roots = np.array([self._root(group) for group in range(len(self._parents))])
        numbers = np.cumsum(roots == np.arange(len(roots))) - 1
        for name, found in groups.items():
            groups[name] = _compressed(numbers[roots[found]])
        self.count = int(numbers[-1]) + 1
        self.public = np.unique([FIXED, *self.channel_groups(graph.input.name)])

    def channel_groups(self, name: str) -> np.ndarray:
        """Returns the groups of a value's channels, int (channels,).

        Every node with parameters for channels has equal factors within a channel.
        """
        shape = self._shapes[name]
        return np.broadcast_to(self.groups[name], (shape[0], *(1,) * (len(shape) - 1))).reshape(-1)

    def _new(self, shape: Shape) -> np.ndarray:
        """Makes new groups, one per channel of a value of this shape."""
        first = len(self._parents)
        self._parents.extend(range(first, first + shape[0]))
        return np.arange(first, first + shape[0]).reshape(-1, *(1,) * (len(shape) - 1))

    def _root(self, group: int) -> int:
        while self._parents[group] != group:
            self._parents[group] = group = self._parents[self._parents[group]]
        return group

    def _join(self, left: np.ndarray, right: np.ndarray) -> None:
        pairs = np.stack(np.broadcast_arrays(left, right), axis=-1).reshape(-1, 2)
        for pair in np.unique(pairs, axis=0):
            first, second = sorted(self._root(int(group)) for group in pair)
            self._parents[second] = first

    def _same(self, node: Node) -> np.ndarray:
        return self.groups[node.inputs[0]]

    def _fixed(self, node: Node) -> np.ndarray:
        """Keeps the factor 1. Serves the output and nodes that this module does not know, too."""
        fixed = np.full((1,) * len(node.shape), FIXED)
        for name in node.inputs:
            self._join(self.groups[name], np.array(FIXED))
        return fixed

    def _per_channel(self, node: Node) -> np.ndarray:
        """Makes the factors within each channel of the node's input equal."""
        numbers = self.groups[node.inputs[0]]
        first = numbers.reshape(len(numbers), -1)[:, :1].reshape(-1, *(1,) * (numbers.ndim - 1))
        self._join(numbers, first)
        return first

    def _input(self, node: Node) -> np.ndarray:
        return self._new(node.shape)

    def _layer(self, node: Node) -> np.ndarray:
        self._per_channel(node)
        return self._new(node.shape)

    def _polynomial(self, node: PolynomialNode) -> np.ndarray:
        """Coefficients absorb factors; a channel with ReLUs of a mixture lets its factor through."""
        before, after = self._per_channel(node), self._new(node.shape)
        if node.relu is not None:
            relu = self.graph.masks[node.relu].reshape(node.shape[0], -1).any(axis=1)
            self._join(np.broadcast_to(before, after.shape)[relu], after[relu])
        return after

    def _clamp(self, node: ClampNode) -> np.ndarray:
        return self._fixed(node) if node.low or node.high else self._same(node)

    def _scale(self, node: ScaleNode) -> np.ndarray:
        return self._fixed(node) if node.shift else self._same(node)

    def _add(self, node: AddNode) -> np.ndarray:
        left, right = (self.groups[name] for name in node.inputs)
        self._join(left, right)
        return np.broadcast_arrays(left, right)[0]

    def _concat(self, node: ConcatNode) -> np.ndarray:
        parts = [self.groups[name] for name in node.inputs]
        inner = np.broadcast_shapes(*(part.shape[1:] for part in parts))
        sizes = [self._shapes[name][0] for name in node.inputs]
        return np.concatenate(
            [np.broadcast_to(part, (size, *inner)) for part, size in zip(parts, sizes, strict=True)]
        )

    def _reshape(self, node: Node) -> np.ndarray:
        numbers = np.broadcast_to(self.groups[node.inputs[0]], self._shapes[node.inputs[0]])
        return _compressed(numbers.reshape(node.shape))

    def _permute(self, node: PermuteNode) -> np.ndarray:
        return self.groups[node.inputs[0]].transpose(node.axes)

    def _slice(self, node: SliceNode) -> np.ndarray:
        numbers = self.groups[node.inputs[0]]
        return numbers if len(numbers) == 1 else numbers[node.first : node.first + node.shape[0]]

    def _take(self, node: TakeNode) -> np.ndarray:
        """Takes elements. Zeros, at positions below 0, have any factor."""
        numbers, positions = self.groups[node.inputs[0]], np.array(node.positions)
        numbers = np.broadcast_to(numbers, (self._shapes[node.inputs[0]][0], *numbers.shape[1:]))
        taken: np.ndarray = numbers[positions]
        zeros = np.flatnonzero(positions < 0)
        taken[zeros] = self._new((len(zeros), *node.shape[1:]))
        return taken

    def _pad(self, node: PadNode) -> np.ndarray:
        """Zeros have any factor."""
        numbers = self._per_channel(node)
        inner = numbers.shape[1:]
        numbers = np.broadcast_to(numbers, (self._shapes[node.inputs[0]][0], *inner))
        before, after = (self._new((count, *inner)) for count in node.channels)
        return np.concatenate([before, numbers, after])


def input_channels(node: Node, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the input channel that each weight of a layer, (out, in / groups), reads.

    A batch normalization has one weight per channel.

    >>> node = ConvNode("conv", ("x",), (4, 1, 1), "w", None, (1, 1), (0, 0), groups=2)
    >>> input_channels(node, (4, 2)).tolist()
    [[0, 1], [0, 1], [2, 3], [2, 3]]
    """
    groups = node.groups if isinstance(node, ConvNode) else 1 if isinstance(node, LinearNode) else shape[0]
    group = np.arange(shape[0]) // (shape[0] // groups)
    return group[:, None] * shape[1] + np.arange(shape[1])


def _compressed(numbers: np.ndarray) -> np.ndarray:
    """Shortens every axis along which the numbers are equal to 1."""
    for axis in range(numbers.ndim):
        first = numbers.take([0], axis)
        if (numbers == first).all():
            numbers = first
    return numbers


_RULES: Mapping[type[Node], Callable[[Sharing, Any], np.ndarray]] = {
    InputNode: Sharing._input,
    ConvNode: Sharing._layer,
    LinearNode: Sharing._layer,
    BatchNormNode: Sharing._layer,
    PolynomialNode: Sharing._polynomial,
    ReluNode: Sharing._same,
    LeakyReluNode: Sharing._same,
    PReluNode: Sharing._same,
    IdentityNode: Sharing._same,
    ClampNode: Sharing._clamp,
    ScaleNode: Sharing._scale,
    AddNode: Sharing._add,
    ConcatNode: Sharing._concat,
    AvgPoolNode: Sharing._per_channel,
    AdaptiveAvgPoolNode: Sharing._per_channel,
    MaxPoolNode: Sharing._per_channel,
    SubsampleNode: Sharing._per_channel,
    FlattenNode: Sharing._reshape,
    ReshapeNode: Sharing._reshape,
    PermuteNode: Sharing._permute,
    SliceNode: Sharing._slice,
    TakeNode: Sharing._take,
    PadNode: Sharing._pad,
}
