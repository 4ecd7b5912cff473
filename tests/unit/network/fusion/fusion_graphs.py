"""Random graphs with long linear regions, for the tests of fusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    Node,
    OutputNode,
    PolynomialNode,
    ReluNode,
    Shape,
)
from pi_bench.network.graph.float_run import calibrate


class GraphBuilder:
    """Appends nodes with random weights; methods return the new node."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Node] = [InputNode("input", (), shape)]
        self.parameters: dict[str, np.ndarray] = {}
        self.masks: dict[str, np.ndarray] = {}

    def parameter(self, name: str, *shape: int) -> str:
        self.parameters[name] = self.random.standard_normal(shape).astype(np.float32) / 2
        return name

    def name(self) -> str:
        return f"n{len(self.nodes)}"

    def conv(self, source: Node, out: int, kernel: int, stride: int, padding: int) -> Node:
        channels, *size = source.shape
        name = self.name()
        weight = self.parameter(f"{name}.w", out, channels, kernel, kernel)
        shape = (out, *((length + 2 * padding - kernel) // stride + 1 for length in size))
        bias = self.parameter(f"{name}.b", out) if self.random.random() < 0.5 else None
        self.nodes.append(
            ConvNode(name, (source.name,), shape, weight, bias, (stride, stride), (padding, padding))
        )
        if self.random.random() < 0.5:
            return self.nodes[-1]
        below, channels = self.nodes[-1], (out,)
        name = self.name()
        gain, shift, mean = (self.parameter(f"{name}.{part}", *channels) for part in "gsm")
        variance = self.parameter(f"{name}.v", *channels)
        self.parameters[variance] = np.abs(self.parameters[variance]) + np.float32(0.5)
        self.nodes.append(BatchNormNode(name, (below.name,), shape, gain, shift, mean, variance, 1e-5))
        return self.nodes[-1]

    def add(self, left: Node, right: Node) -> Node:
        self.nodes.append(AddNode(self.name(), (left.name, right.name), left.shape))
        return self.nodes[-1]

    def relu(self, source: Node) -> Node:
        self.nodes.append(ReluNode(self.name(), (source.name,), source.shape))
        return self.nodes[-1]

    def polynomial(self, source: Node) -> Node:
        """A mixture: polynomials of degree 2 or 3, or ReLU, by channel."""
        name, channels = self.name(), source.shape[0]
        coefficients = self.parameter(f"{name}.c", channels, int(self.random.integers(3, 5)))
        self.parameters[coefficients][:, 2:] *= np.float32(0.2)
        self.masks[f"{name}.relu"] = self.random.random(channels) < 0.3
        self.nodes.append(PolynomialNode(name, (source.name,), source.shape, coefficients, f"{name}.relu"))
        return self.nodes[-1]

    def pool(self, source: Node, kernel: int) -> Node:
        shape = (source.shape[0], *(length // kernel for length in source.shape[1:]))
        pair = (kernel, kernel)
        self.nodes.append(AvgPoolNode(self.name(), (source.name,), shape, pair, pair, (0, 0)))
        return self.nodes[-1]

    def head(self, source: Node, out: int) -> Graph:
        flat = FlattenNode(self.name(), (source.name,), (int(np.prod(source.shape)),))
        self.nodes.append(flat)
        name = self.name()
        weight = self.parameter(f"{name}.w", out, *flat.shape)
        self.nodes.append(LinearNode(name, (flat.name,), (out,), weight, self.parameter(f"{name}.b", out)))
        self.nodes.append(OutputNode("output", (name,), (out,)))
        graph = Graph(tuple(self.nodes), self.parameters, self.masks)
        inputs = self.random.standard_normal((8, *graph.input.shape)).astype(np.float32)
        return replace(graph, ranges=calibrate(graph, inputs))


def culled_graph() -> Graph:
    """Two residual blocks without ReLU, a ReLU, a convolution and pooling before the logits."""
    builder = GraphBuilder(3, (2, 7, 6))
    stem = builder.conv(builder.nodes[0], 3, 3, 1, 1)
    inner = builder.conv(builder.conv(stem, 3, 3, 1, 1), 3, 3, 1, 1)
    strided = builder.conv(builder.add(inner, stem), 4, 3, 2, 1)
    active = builder.relu(strided)
    last = builder.add(builder.conv(active, 4, 3, 1, 1), active)
    return builder.head(builder.pool(last, 3), 3)


@st.composite
def fusion_graphs(draw: Any) -> Graph:
    """A network of residual blocks of which most have no activation."""
    builder = GraphBuilder(
        draw(st.integers(0, 1 << 30)), (2, draw(st.integers(4, 7)), draw(st.integers(4, 7)))
    )
    value: Node = builder.nodes[0]
    for _ in range(draw(st.integers(1, 3))):
        out, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        if min(value.shape[1:]) < 3:
            stride = 1
        inner = builder.conv(value, out, 3, stride, 1)
        if draw(st.booleans()):
            inner = draw(st.sampled_from([builder.relu, builder.polynomial]))(inner)
        inner = builder.conv(inner, out, 3, 1, 1)
        if draw(st.booleans()):
            same = stride == 1 and value.shape[0] == out
            inner = builder.add(inner, value if same else builder.conv(value, out, 1, stride, 0))
        value = draw(st.sampled_from([builder.relu, builder.polynomial, *[lambda node: node] * 4]))(inner)
    if draw(st.booleans()) and min(value.shape[1:]) >= 2:
        value = builder.pool(value, 2)
    return builder.head(value, 3)
