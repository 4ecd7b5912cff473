"""Random networks for laws: graphs of 1 to 12 operators with odd shapes, residuals, masks, shared values.

`networks()` is a hypothesis strategy, so failures shrink: structure is drawn, parameters come from a drawn
seed. A drawer adds one node that reads earlier values; one that cannot be applied leaves the graph as it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from pi_bench.errors import ModelError
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
    OutputNode,
    PadNode,
    PermuteNode,
    PolynomialNode,
    PReluNode,
    ReluNode,
    ReshapeNode,
    ScaleNode,
    SliceNode,
    SubsampleNode,
    TakeNode,
)
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.graph.shapes import infer_shape

MAX_ELEMENTS = 1000
_SAMPLES = 24


class Network:
    """`inputs`: float32 (samples, *shape), on which the graph is calibrated."""

    def __init__(self, graph: Graph, inputs: np.ndarray) -> None:
        self.graph = graph
        self.inputs = inputs

    def __repr__(self) -> str:
        """Describes a failing example; hypothesis keeps the data to draw it again."""
        nodes = (f"    {node} within {self.graph.ranges[node.name]:.4g}" for node in self.graph.nodes)
        return "\n".join(["Network", *nodes])


class Builder:
    """A graph in the making."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        flat = draw(st.booleans()) and draw(st.booleans())
        shape = (self.size(2, 20),) if flat else (self.size(1, 4), self.size(3, 9), self.size(3, 9))
        self.nodes: list[Node] = [InputNode("x", (), shape)]
        self.parameters: dict[str, np.ndarray] = {}
        self.masks: dict[str, np.ndarray] = {}

    def size(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.size(low, high), self.size(low, high)

    def sides(self, high: int) -> tuple[int, int, int, int]:
        return (*self.pair(0, high), *self.pair(0, high))

    def number(self, low: float, high: float) -> float:
        return round(self.draw(st.floats(low, high)), 3)

    @property
    def name(self) -> str:
        return f"n{len(self.nodes)}"

    def parameter(self, kind: str, *shape: int, scale: float = 1.0) -> str:
        key = f"{self.name}.{kind}"
        self.parameters[key] = (scale * self.rng.standard_normal(shape)).astype(np.float32)
        return key

    def operand(self) -> Node:
        """The newest value, or any earlier one: shared values and unused branches."""
        return self.nodes[-1] if self.size(0, 2) else self.draw(st.sampled_from(self.nodes))

    def alike(self, node: Node, *, but_channels: bool) -> Node:
        start = 1 if but_channels else 0
        fitting = [
            other
            for other in self.nodes
            if len(other.shape) == len(node.shape) and other.shape[start:] == node.shape[start:]
        ]
        return self.draw(st.sampled_from(fitting))

    def add(self, kind: type[Node], inputs: tuple[Node, ...], *fields: object, shape: tuple = ()) -> None:
        names = tuple(node.name for node in inputs)
        node = kind(self.name, names, shape or inputs[0].shape, *fields)
        graph = Graph((*self.nodes, node), self.parameters, self.masks)
        try:
            inferred = infer_shape(node, [operand.shape for operand in inputs], graph)
        except ModelError:
            return
        if math.prod(inferred) <= MAX_ELEMENTS:
            self.nodes.append(dataclasses.replace(node, shape=inferred))

    def finished(self) -> Network:
        last = self.nodes[-1]
        if len(last.shape) not in (1, 3):
            self.add(FlattenNode, (last,))
            last = self.nodes[-1]
        wanted, live = {last.name}, [OutputNode("out", (last.name,), last.shape)]
        for node in reversed(self.nodes):
            if node.name in wanted or node is self.nodes[0]:
                live.append(node)
                wanted.update(node.inputs)
        graph = Graph(tuple(reversed(live)), self.parameters, self.masks, meta={"name": "drawn"})
        inputs = self.rng.standard_normal((_SAMPLES, *self.nodes[0].shape)).clip(-2.5, 2.5)
        inputs = inputs.astype(np.float32)
        return Network(dataclasses.replace(graph, ranges=calibrate(graph, inputs)), inputs)


def _conv(b: Builder, x: Node) -> None:
    channels = x.shape[0]
    groups = b.draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    kernel, outputs = b.pair(1, 3), groups * b.size(1, 4)
    fan_in = channels // groups * math.prod(kernel)
    weight = b.parameter("w", outputs, channels // groups, *kernel, scale=1 / math.sqrt(fan_in))
    bias = b.parameter("b", outputs, scale=0.3) if b.draw(st.booleans()) else None
    b.add(ConvNode, (x,), weight, bias, b.pair(1, 2), b.sides(2), b.pair(1, 2), groups)


def _linear(b: Builder, x: Node) -> None:
    if len(x.shape) > 1:
        b.add(FlattenNode, (x,))
        x = b.nodes[-1]
    outputs = b.size(1, 8)
    weight = b.parameter("w", outputs, x.shape[0], scale=1 / math.sqrt(x.shape[0]))
    b.add(LinearNode, (x,), weight, b.parameter("b", outputs, scale=0.3))


def _batch_norm(b: Builder, x: Node) -> None:
    weight, bias = b.parameter("w", x.shape[0]), b.parameter("b", x.shape[0], scale=0.5)
    mean, variance = b.parameter("m", x.shape[0], scale=0.3), b.parameter("v", x.shape[0])
    b.parameters[variance] = np.abs(b.parameters[variance]) + np.float32(0.3)
    b.add(BatchNormNode, (x,), weight, bias, mean, variance, 1e-5)


def _masked_relu(b: Builder, x: Node) -> None:
    key = f"{b.name}.mask"
    b.masks[key] = b.rng.random(x.shape) < b.number(0, 1)
    b.add(ReluNode, (x,), key)


def _clamp(b: Builder, x: Node) -> None:
    low, width = b.number(-2, 1), b.number(0.1, 4)
    kind = b.draw(st.sampled_from(["both", "low", "high"]))
    b.add(ClampNode, (x,), None if kind == "high" else low, None if kind == "low" else low + width)


def _prelu(b: Builder, x: Node) -> None:
    count = x.shape[0] if b.draw(st.booleans()) else 1
    key = b.parameter("w", count)
    b.parameters[key] = b.rng.uniform(-0.5, b.number(0.2, 1.5), count).astype(np.float32)
    b.add(PReluNode, (x,), key)


def _polynomial(b: Builder, x: Node) -> None:
    """Of degree 2 or 3, all channels alike or not; some channels or elements are ReLUs, some linear."""
    channels, degree = x.shape[0], b.size(2, 3)
    key = b.parameter("c", channels, degree + 1, scale=0.4)
    table = b.parameters[key]
    table[:, 2:] += np.float32(0.2) * np.sign(table[:, 2:])
    if b.draw(st.booleans()):
        table[:] = table[:1]
    if b.draw(st.booleans()):  # a bare power
        table[:] = np.eye(degree + 1, dtype=np.float32)[degree]
    table[b.rng.random(channels) < 0.2, degree] = 0
    if b.draw(st.booleans()):
        shape = x.shape if b.draw(st.booleans()) else (channels,)
        b.masks[f"{b.name}.relu"] = b.rng.random(shape) < b.number(0, 1)
        b.add(PolynomialNode, (x,), key, f"{b.name}.relu")
    else:
        b.add(PolynomialNode, (x,), key, None)


def _avg_pool(b: Builder, x: Node) -> None:
    kernel = b.pair(1, 4)
    padding = tuple(b.size(0, kernel[side // 2] // 2) for side in range(4))
    flags = b.draw(st.tuples(st.booleans(), st.booleans()))
    divisor = b.draw(st.none() | st.integers(1, 9))
    b.add(AvgPoolNode, (x,), kernel, b.pair(1, 3), padding, *flags, divisor)


def _max_pool(b: Builder, x: Node) -> None:
    kernel = b.pair(1, 5)
    padding = tuple(b.size(0, kernel[side // 2] // 2) for side in range(4))
    b.add(MaxPoolNode, (x,), kernel, b.pair(1, 3), padding, b.draw(st.booleans()))


def _reshape(b: Builder, x: Node) -> None:
    count = math.prod(x.shape)
    first = b.draw(st.sampled_from([n for n in range(1, count + 1) if count % n == 0]))
    rest = count // first
    second = b.draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0]))
    shape = (
        (first, rest) if b.draw(st.booleans()) and b.draw(st.booleans()) else (first, second, rest // second)
    )
    b.add(ReshapeNode, (x,), shape=shape)


def _permute(b: Builder, x: Node) -> None:
    b.add(PermuteNode, (x,), tuple(b.draw(st.permutations(range(len(x.shape))))))


def _slice(b: Builder, x: Node) -> None:
    first = b.size(0, x.shape[0] - 1)
    b.add(SliceNode, (x,), first, shape=(b.size(1, x.shape[0] - first), *x.shape[1:]))


def _take(b: Builder, x: Node) -> None:
    positions = b.draw(st.lists(st.integers(-1, x.shape[0] - 1), min_size=1, max_size=2 * x.shape[0]))
    b.add(TakeNode, (x,), tuple(positions), shape=(len(positions), *x.shape[1:]))


def _subsample(b: Builder, x: Node) -> None:
    b.add(SubsampleNode, (x,), b.pair(-2, 4), b.pair(1, 3), shape=(x.shape[0], *b.pair(1, 6)))


def _pad(b: Builder, x: Node) -> None:
    b.add(PadNode, (x,), b.pair(0, 2), b.sides(2) if len(x.shape) == 3 else (0, 0))


def _scale(b: Builder, x: Node) -> None:
    factor = b.draw(st.sampled_from([-1.0, 2.0, 0.5, 0.3, -1.7, 6.0]))
    b.add(ScaleNode, (x,), factor, b.draw(st.sampled_from([0.0, 0.0, 1.0, -0.4])))


DRAWERS: dict[str, Callable[[Builder, Node], None]] = {
    "conv": _conv,
    "linear": _linear,
    "batch norm": _batch_norm,
    "relu": lambda b, x: b.add(ReluNode, (x,), None),
    "masked relu": _masked_relu,
    "clamp": _clamp,
    "leaky relu": lambda b, x: b.add(LeakyReluNode, (x,), b.number(-0.9, 0.9)),
    "prelu": _prelu,
    "polynomial": _polynomial,
    "add": lambda b, x: b.add(AddNode, (x, b.alike(x, but_channels=False))),
    "concat": lambda b, x: b.add(ConcatNode, (x, b.alike(x, but_channels=True))),
    "avg pool": _avg_pool,
    "adaptive": lambda b, x: b.add(AdaptiveAvgPoolNode, (x,), shape=(x.shape[0], *b.pair(1, 7))),
    "max pool": _max_pool,
    "flatten": lambda b, x: b.add(FlattenNode, (x,)),
    "reshape": _reshape,
    "permute": _permute,
    "slice": _slice,
    "take": _take,
    "subsample": _subsample,
    "pad": _pad,
    "scale": _scale,
    "identity": lambda b, x: b.add(IdentityNode, (x,)),
}
"""Each operator by its drawer: a new one is an entry here and in `torch_graph`."""

_ON_MAPS = {"conv", "avg pool", "adaptive", "max pool", "subsample"}
_NOT_ON_SERIES = {*_ON_MAPS, "batch norm", "prelu", "polynomial", "pad"}
_TWICE = ("conv", "relu", "masked relu", "max pool", "add", "batch norm", "polynomial")


@st.composite
def networks(draw: st.DrawFn, least: int = 1) -> Network:
    """Never fails to draw one. It tries `least` to 12 operators, and leaves out those that do not apply."""
    b = Builder(draw)
    for _ in range(b.size(least, 12)):
        x = b.operand()
        missing = {1: _ON_MAPS, 2: _NOT_ON_SERIES, 3: set[str]()}[len(x.shape)]
        kinds = [kind for kind in (*DRAWERS, *_TWICE) if kind not in missing]
        DRAWERS[draw(st.sampled_from(kinds))](b, x)
    return b.finished()
