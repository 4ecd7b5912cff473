"""Evaluates each operator of a float graph in numpy, float32."""

from __future__ import annotations

import math
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
    SliceNode,
    SubsampleNode,
    TakeNode,
    padding_sides,
)
from pi_bench.network.graph.batch_norm import gain_and_shift
from pi_bench.network.graph.float_convolution import convolve
from pi_bench.network.graph.float_fused import apply_fused
from pi_bench.network.graph.fused_node import FusedNode
from pi_bench.network.graph.polynomials import evaluate_polynomials
from pi_bench.network.graph.pooling import PoolWindow, average_windows


def apply(node: Node, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    """Computes a node's value (batch, *shape) from its inputs' values.

    >>> apply(ReluNode("relu", ("x",), (3,)), [np.float32([[-1, 0, 2]])], Graph((), {})).tolist()
    [[0.0, 0.0, 2.0]]
    """
    function = _FUNCTIONS.get(type(node))
    return inputs[0] if function is None else function(node, inputs, graph)


def _conv(node: ConvNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    weight, x = graph.parameters[node.weight], _padded(inputs[0], padding_sides(node.padding))
    outs, ins = len(weight) // node.groups, weight.shape[1]
    if node.groups > math.prod(weight.shape[1:]):
        out = _convolve_by_taps(x, weight, node)
    else:
        parts = [
            convolve(
                x[:, g * ins : (g + 1) * ins],
                weight[g * outs : (g + 1) * outs],
                node.shape[1:],  # type: ignore[arg-type]
                node.stride,
                node.dilation,
            )
            for g in range(node.groups)
        ]
        out = parts[0] if node.groups == 1 else np.concatenate(parts, axis=1)
    if node.bias is not None:
        out += graph.parameters[node.bias][:, None, None]
    return out


def _convolve_by_taps(x: np.ndarray, weight: np.ndarray, node: ConvNode) -> np.ndarray:
    """Convolves all groups at once, one weight of each at a time, for many groups of few channels."""
    (down, across), (_, rows, columns) = node.dilation, node.shape
    grouped = weight.reshape(1, node.groups, -1, *weight.shape[1:], 1, 1)
    out = np.zeros((len(x), node.groups, grouped.shape[2], rows, columns), np.float32)
    for b, i, j in np.ndindex(*weight.shape[1:]):
        read = x[:, b :: weight.shape[1], i * down :: node.stride[0], j * across :: node.stride[1]]
        out += read[:, :, None, :rows, :columns] * grouped[:, :, :, b, i, j]
    return out.reshape(len(x), *node.shape)


def _linear(node: LinearNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    out: np.ndarray = inputs[0] @ graph.parameters[node.weight].T
    if node.bias is not None:
        out += graph.parameters[node.bias]
    return out


def _batch_norm(node: BatchNormNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    (gain, shift), x = gain_and_shift(node, graph), inputs[0]
    normalized: np.ndarray = x * _column(gain, x) + _column(shift, x)
    return normalized


def _column(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).reshape(-1, *(1,) * (x.ndim - 2))


def _relu(node: ReluNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    out = np.maximum(inputs[0], np.float32(0))
    return out if node.mask is None else np.where(graph.masks[node.mask], out, inputs[0])


def _clamp(node: ClampNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    low, high = (None if bound is None else np.float32(bound) for bound in (node.low, node.high))
    clamped: np.ndarray = np.clip(inputs[0], low, high)
    return clamped


def _leaky_relu(node: LeakyReluNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    return np.where(inputs[0] > 0, inputs[0], inputs[0] * np.float32(node.slope))


def _prelu(node: PReluNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    return np.where(inputs[0] > 0, inputs[0], inputs[0] * _column(graph.parameters[node.weight], inputs[0]))


def _avg_pool(node: AvgPoolNode | AdaptiveAvgPoolNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    rows, columns = average_windows(node, inputs[0].shape[2:])
    sums = _sums(_sums(inputs[0].astype(np.float64), 2, rows), 3, columns)
    divisor: Any = node.divisor if isinstance(node, AvgPoolNode) else None
    if divisor is None:
        divisor = np.outer([row.divisor for row in rows], [column.divisor for column in columns])
    mean: np.ndarray = (sums / divisor).astype(np.float32)
    return mean


def _sums(x: np.ndarray, axis: int, windows: list[PoolWindow]) -> np.ndarray:
    parts = [
        x.take(range(window.begin, window.end), axis).sum(axis=axis, keepdims=True) for window in windows
    ]
    return np.concatenate(parts, axis=axis)


def _max_pool(node: MaxPoolNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    sides, x = padding_sides(node.padding), inputs[0]
    for axis, count in ((2, node.shape[1]), (3, node.shape[2])):
        kernel, stride, before = node.kernel[axis - 2], node.stride[axis - 2], sides[2 * (axis - 2)]
        starts = [i * stride - before for i in range(count)]
        parts = [
            x.take(range(max(start, 0), min(start + kernel, x.shape[axis])), axis).max(axis, keepdims=True)
            for start in starts
        ]
        x = np.concatenate(parts, axis=axis)
    return x


def _slice(node: SliceNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    return inputs[0][:, node.first : node.first + node.shape[0]]


def _take(node: TakeNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    positions = np.array(node.positions)
    taken = inputs[0][:, positions]
    taken[:, positions < 0] = 0
    return taken


def _subsample(node: SubsampleNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    x = inputs[0]
    for axis in (0, 1):
        positions = node.offset[axis] + node.stride[axis] * np.arange(node.shape[1 + axis])
        x = x.take(positions, 2 + axis, mode="clip")
    return x


def _pad(node: PadNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    x = np.pad(inputs[0], ((0, 0), node.channels, *((0, 0),) * (inputs[0].ndim - 2)))
    return _padded(x, padding_sides(node.padding))


def _padded(x: np.ndarray, sides: tuple[int, int, int, int]) -> np.ndarray:
    if not any(sides):
        return x
    return np.pad(x, ((0, 0), (0, 0), sides[:2], sides[2:]))


def _polynomial(node: PolynomialNode, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    relu = None if node.relu is None else graph.masks[node.relu]
    return evaluate_polynomials(graph.parameters[node.coefficients], relu, inputs[0])


_FUNCTIONS: Mapping[type[Node], Callable[[Any, list[np.ndarray], Graph], np.ndarray]] = {
    ConvNode: _conv,
    LinearNode: _linear,
    BatchNormNode: _batch_norm,
    ScaleNode: lambda node, inputs, graph: inputs[0] * np.float32(node.factor) + np.float32(node.shift),
    ReluNode: _relu,
    ClampNode: _clamp,
    LeakyReluNode: _leaky_relu,
    PReluNode: _prelu,
    PolynomialNode: _polynomial,
    AddNode: lambda node, inputs, graph: inputs[0] + inputs[1],
    ConcatNode: lambda node, inputs, graph: np.concatenate(inputs, axis=1),
    AvgPoolNode: _avg_pool,
    AdaptiveAvgPoolNode: _avg_pool,
    MaxPoolNode: _max_pool,
    FlattenNode: lambda node, inputs, graph: inputs[0].reshape(len(inputs[0]), -1),
    ReshapeNode: lambda node, inputs, graph: inputs[0].reshape(len(inputs[0]), *node.shape),
    PermuteNode: lambda node, inputs, graph: inputs[0].transpose(0, *(1 + axis for axis in node.axes)),
    SliceNode: _slice,
    SubsampleNode: _subsample,
    TakeNode: _take,
    PadNode: _pad,
    FusedNode: lambda node, inputs, graph: apply_fused(node, inputs),
}
