"""Moves chosen factors into the parameters of layers; the function stays the same to the last bit."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import numpy as np

from pi_bench.network.equalization.sharing import Sharing, input_channels
from pi_bench.network.graph import BatchNormNode, ConvNode, Graph, InputNode, LinearNode, Node, PolynomialNode
from pi_bench.network.graph.node import cited_parameters

_Rescaled = TypeVar("_Rescaled", bound=Node)


def rescale(sharing: Sharing, exponents: np.ndarray) -> Graph:
    """Multiplies every value by 2**exponents of its groups; the result has no calibrated ranges.

    Parameters keep their names unless several nodes cite one. If a parameter would leave float32, the graph
    stays as it is.

    Args:
        exponents: int (groups,), 0 for the group `FIXED`, and at least 0 for those of the input.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> layers = LinearNode("a", ("x",), (2,), "a", None), ReluNode("relu", ("a",), (2,))
    >>> nodes = InputNode("x", (), (1,)), *layers, LinearNode("b", ("relu",), (1,), "b", None)
    >>> weights = {"a": np.float32([[1], [3]]), "b": np.float32([[1, 3]])}
    >>> graph = Graph((*nodes, OutputNode("out", ("b",), (1,))), weights)
    >>> rescaled = rescale(Sharing(graph), np.array([0, 0, 0, 2]))
    >>> rescaled.parameters["a"].tolist(), rescaled.parameters["b"].tolist()
    ([[1.0], [12.0]], [[1.0, 0.75]])
    """
    graph, emission = sharing.graph, _Emission(sharing, exponents)
    nodes = tuple(emission.node(node) for node in graph.nodes)
    names = [name for node in nodes for name in cited_parameters(node).values()]
    parameters = {name: emission.parameters[name] for name in names}
    if not all(np.isfinite(array).all() for array in parameters.values()):
        return dataclasses.replace(graph, ranges={})
    return dataclasses.replace(graph, nodes=nodes, parameters=parameters, ranges={})


class _Emission:
    """Copies nodes with rescaled parameters."""

    def __init__(self, sharing: Sharing, exponents: np.ndarray) -> None:
        self._graph = sharing.graph
        self._sharing = sharing
        self._exponents = exponents
        self.parameters = dict(sharing.graph.parameters)
        citations = [name for node in sharing.graph.nodes for name in cited_parameters(node).values()]
        self._shared = {name for name in citations if citations.count(name) > 1}

    def node(self, node: Node) -> Node:
        if isinstance(node, InputNode):
            return self._input(node)
        if not isinstance(node, ConvNode | LinearNode | BatchNormNode | PolynomialNode):
            return node
        before, after = (
            self._exponents[self._sharing.channel_groups(name)] for name in (node.inputs[0], node.name)
        )
        if isinstance(node, ConvNode | LinearNode):
            weights = self._graph.parameters[node.weight]
            change = after[:, None] - before[input_channels(node, weights.shape[:2])]
            changes = {"weight": change.reshape(*change.shape, *(1,) * (weights.ndim - 2)), "bias": after}
        elif isinstance(node, BatchNormNode):
            changes = {"weight": after - before, "mean": before, "bias": after}
        else:
            powers = np.arange(self._graph.parameters[node.coefficients].shape[1])
            changes = {"coefficients": after[:, None] - powers * before[:, None]}
        return self._rescaled(node, changes)

    def _input(self, node: InputNode) -> InputNode:
        bits = self._exponents[self._sharing.channel_groups(node.name)] + np.array(node.channel_bits or 0)
        return dataclasses.replace(node, channel_bits=tuple(bits.tolist()) if bits.any() else None)

    def _rescaled(self, node: _Rescaled, changes: dict[str, np.ndarray]) -> _Rescaled:
        """Multiplies the node's parameters by 2**changes; a gain that is absent is 1."""
        cited = cited_parameters(node)
        renamed: dict[str, str] = {}
        for field, change in changes.items():
            if not change.any():
                continue
            if field in cited:
                values = self._graph.parameters[cited[field]]
            elif field == "weight":
                values = np.ones(len(change), np.float32)
            else:
                continue
            name = cited.get(field)
            if name is None or name in self._shared:
                name = self._fresh(f"{node.name}.{field}")
            renamed[field] = name
            with np.errstate(over="ignore"):
                self.parameters[name] = np.ldexp(values, change).astype(np.float32)
        return dataclasses.replace(node, **renamed)  # type: ignore[arg-type]

    def _fresh(self, name: str) -> str:
        while name in self.parameters:
            name += "'"
        return name
