"""A float graph in torch, float64: the answer that fixed point is compared with, and the bounds of rounding.

Written apart from `graph.float_run`, from torch's own operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

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
    padding_sides,
    range_names,
)
from pi_bench.network.graph.polynomials import reduced_node

Tensor = torch.Tensor


def sizes(graph: Graph) -> dict[str, float]:
    """The size that the scale of each node's value is made for: its range, its operands' where it has no
    weights, and the bounds of clamps."""
    found = dict(graph.ranges)
    for node in graph.nodes:
        if isinstance(node, ClampNode):
            bounds = [abs(bound) for bound in (node.low, node.high) if bound is not None]
            found[node.inputs[0]] = max(found[node.inputs[0]], *bounds)
        if node.inputs and not isinstance(node, ConvNode | LinearNode | BatchNormNode):
            factor = abs(node.factor) if isinstance(node, ScaleNode) else 1.0
            inherited = factor * max(found[name] for name in node.inputs)
            found[node.name] = max(found[node.name], inherited)
    return found


class Rounding:
    """Perturbs values and weights as fixed point may: by half a unit in the last place of an activation, and
    of the largest weight of a channel, each with a random sign."""

    def __init__(self, graph: Graph, seed: int, activation_bits: int = 10, weight_bits: int = 10) -> None:
        self._sizes = sizes(graph)
        self._generator = torch.Generator().manual_seed(seed)
        self._activation_unit = 2.0**-activation_bits
        self._weight_unit = 2.0**-weight_bits

    def value(self, node: Node, x: Tensor) -> Tensor:
        return x + self._activation_unit * self._sizes[node.name] * self._signs(x)

    def weight(self, w: Tensor) -> Tensor:
        largest = w.abs().reshape(len(w), -1).amax(1).reshape(-1, *(1,) * (w.dim() - 1))
        return w + self._weight_unit * largest * self._signs(w)

    def factor(self, node: PolynomialNode, z: Tensor, ranges: Mapping[str, float]) -> Tensor:
        """Of products: half of the bits below the headroom, for the largest product."""
        inside = {what: ranges[name] for what, name in range_names(node).items()}
        squares = max(inside["root"] ** 2, inside["inner"], 2 * inside["cube"], 2 * inside["joined"])
        return z + 2.0**-13 * math.sqrt(squares) * self._signs(z)

    def _signs(self, x: Tensor) -> Tensor:
        return torch.randint(0, 2, x.shape, generator=self._generator).double() * 2 - 1


class Evaluation:
    """One evaluation of a graph, exact or perturbed."""

    def __init__(self, graph: Graph, rounding: Rounding | None = None) -> None:
        self.graph = graph
        self.rounding = rounding

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        values: dict[str, Tensor] = {}
        for node in self.graph.nodes:
            if isinstance(node, InputNode):
                value = torch.from_numpy(inputs).double()
            else:
                value = _FUNCTIONS[type(node)](self, node, *(values[name] for name in node.inputs))
            if self.rounding is not None:
                value = self.rounding.value(node, value)
            values[node.name] = value
        return values[self.graph.output.name].numpy()

    def parameter(self, name: str) -> Tensor:
        return torch.from_numpy(self.graph.parameters[name]).double()

    def weight(self, name: str) -> Tensor:
        w = self.parameter(name)
        return w if self.rounding is None else self.rounding.weight(w)

    def mask(self, name: str) -> Tensor:
        return torch.from_numpy(self.graph.masks[name])


def _padded(x: Tensor, padding: tuple[int, ...], value: float = 0.0) -> Tensor:
    top, bottom, left, right = padding_sides(padding)
    return functional.pad(x, (left, right, top, bottom), value=value)


def _conv(e: Evaluation, node: ConvNode, x: Tensor) -> Tensor:
    bias = None if node.bias is None else e.parameter(node.bias)
    weight = e.weight(node.weight)
    return functional.conv2d(
        _padded(x, node.padding), weight, bias, node.stride, 0, node.dilation, node.groups
    )


def _linear(e: Evaluation, node: LinearNode, x: Tensor) -> Tensor:
    return functional.linear(x, e.weight(node.weight), None if node.bias is None else e.parameter(node.bias))


def _batch_norm(e: Evaluation, node: BatchNormNode, x: Tensor) -> Tensor:
    weight = None if node.weight is None else e.weight(node.weight)
    bias = None if node.bias is None else e.parameter(node.bias)
    mean, variance = e.parameter(node.mean), e.parameter(node.variance)
    return functional.batch_norm(x, mean, variance, weight, bias, eps=node.epsilon)


def _relu(e: Evaluation, node: ReluNode, x: Tensor) -> Tensor:
    return x.relu() if node.mask is None else torch.where(e.mask(node.mask), x.relu(), x)


def _clamp(e: Evaluation, node: ClampNode, x: Tensor) -> Tensor:
    return x.clamp(node.low, node.high)


def _prelu(e: Evaluation, node: PReluNode, x: Tensor) -> Tensor:
    return functional.prelu(x, e.weight(node.weight))


def _polynomial(e: Evaluation, node: PolynomialNode, x: Tensor) -> Tensor:
    table = e.parameter(node.coefficients)
    column = (-1, *(1,) * (x.dim() - 2))
    y = sum(c.reshape(column) * x**power for power, c in enumerate(table.T))
    if e.rounding is not None:
        y = _rounded_polynomial(e, node, x, column)
    if node.relu is None:
        return y
    relu = e.mask(node.relu)
    return torch.where(relu if relu.shape == x.shape[1:] else relu.reshape(column), x.relu(), y)


def _rounded_polynomial(e: Evaluation, node: PolynomialNode, x: Tensor, column: tuple) -> Tensor:
    """As parties compute it: z^2 + outer or z (z^2 + inner) + outer of a rounded affine image z."""
    reduced = reduced_node(node, e.graph)
    scale, shift, inner, outer, gain = (
        torch.from_numpy(part).reshape(column)
        for part in (reduced.scale, reduced.shift, reduced.inner, reduced.outer, reduced.gain)
    )
    kinds = torch.from_numpy(reduced.kinds).reshape(column)
    z = e.rounding.weight(scale.reshape(-1, 1)).reshape(column) * x + shift
    z = e.rounding.factor(node, z, e.graph.ranges)
    bracket = e.rounding.factor(node, z**2 + inner, e.graph.ranges)
    return torch.where(kinds == 3, z * bracket + outer, torch.where(kinds == 2, gain * (z**2 + outer), z))


def _extended(node: AvgPoolNode | MaxPoolNode, x: Tensor, value: float) -> Tensor:
    """With the padding, and as much more as the windows beyond it reach (ceil)."""
    x = _padded(x, node.padding, value)
    ends = (
        (count - 1) * step + kernel
        for count, step, kernel in zip(node.shape[1:], node.stride, node.kernel, strict=True)
    )
    rows, columns = (max(0, end - size) for end, size in zip(ends, x.shape[2:], strict=True))
    return functional.pad(x, (0, columns, 0, rows), value=value)


def _avg_pool(e: Evaluation, node: AvgPoolNode, x: Tensor) -> Tensor:
    total = math.prod(node.kernel) * functional.avg_pool2d(_extended(node, x, 0.0), node.kernel, node.stride)
    total = total[:, :, : node.shape[1], : node.shape[2]]
    if node.divisor is not None:
        return total / node.divisor
    counted = torch.ones_like(x[:1, :1])
    if node.count_padding:
        counted = _padded(counted, node.padding, 1.0)
        bare = AvgPoolNode(node.name, (), node.shape, node.kernel, node.stride, (0, 0))
        counts = functional.avg_pool2d(_extended(bare, counted, 0.0), node.kernel, node.stride)
    else:
        counts = functional.avg_pool2d(_extended(node, counted, 0.0), node.kernel, node.stride)
    return total / (math.prod(node.kernel) * counts[:, :, : node.shape[1], : node.shape[2]])


def _max_pool(e: Evaluation, node: MaxPoolNode, x: Tensor) -> Tensor:
    pooled = functional.max_pool2d(_extended(node, x, -math.inf), node.kernel, node.stride)
    return pooled[:, :, : node.shape[1], : node.shape[2]]


def _subsample(e: Evaluation, node: SubsampleNode, x: Tensor) -> Tensor:
    for axis in (0, 1):
        at = node.offset[axis] + node.stride[axis] * torch.arange(node.shape[1 + axis])
        x = x.index_select(2 + axis, at.clamp(0, x.shape[2 + axis] - 1))
    return x


def _pad(e: Evaluation, node: PadNode, x: Tensor) -> Tensor:
    if x.dim() == 2:
        return functional.pad(x, node.channels)
    return functional.pad(_padded(x, node.padding), (0, 0, 0, 0, *node.channels))


_FUNCTIONS: dict[type[Node], Callable[..., Any]] = {
    ConvNode: _conv,
    LinearNode: _linear,
    BatchNormNode: _batch_norm,
    ScaleNode: lambda e, node, x: node.factor * x + node.shift,
    ReluNode: _relu,
    ClampNode: _clamp,
    LeakyReluNode: lambda e, node, x: functional.leaky_relu(x, node.slope),
    PReluNode: _prelu,
    PolynomialNode: _polynomial,
    AddNode: lambda e, node, x, y: x + y,
    ConcatNode: lambda e, node, *xs: torch.cat(xs, 1),
    AvgPoolNode: _avg_pool,
    AdaptiveAvgPoolNode: lambda e, node, x: functional.adaptive_avg_pool2d(x, node.shape[1:]),
    MaxPoolNode: _max_pool,
    FlattenNode: lambda e, node, x: x.flatten(1),
    ReshapeNode: lambda e, node, x: x.reshape(len(x), *node.shape),
    PermuteNode: lambda e, node, x: x.permute(0, *(1 + axis for axis in node.axes)),
    SliceNode: lambda e, node, x: x[:, node.first : node.first + node.shape[0]],
    SubsampleNode: _subsample,
    TakeNode: lambda e, node, x: functional.pad(x, (0, 0) * (x.dim() - 2) + (0, 1))[:, list(node.positions)],
    PadNode: _pad,
    IdentityNode: lambda e, node, x: x,
    OutputNode: lambda e, node, x: x,
}


def fixed_point_bound(graph: Graph, inputs: np.ndarray) -> float:
    """How far the answers may be from the exact ones: three times the largest of eight perturbed evaluations,
    and two units in the last place."""
    exact = Evaluation(graph)(inputs)
    noise = max(
        float(np.abs(Evaluation(graph, Rounding(graph, seed))(inputs) - exact).max()) for seed in range(8)
    )
    return 3 * noise + 2.0**-9 * sizes(graph)[graph.output.name]
