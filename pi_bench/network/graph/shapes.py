"""Infers shapes of a graph's values from their inputs' shapes, and checks the numbers of each operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.graph import (
    AdaptiveAvgPoolNode,
    AddNode,
    AvgPoolNode,
    ClampNode,
    ConcatNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LeakyReluNode,
    LinearNode,
    MaxPoolNode,
    Node,
    Padding,
    PadNode,
    Pair,
    PermuteNode,
    ReshapeNode,
    ScaleNode,
    Shape,
    SliceNode,
    SubsampleNode,
    TakeNode,
    operator_name,
    padding_sides,
)
from pi_bench.network.graph.fused_node import FusedNode
from pi_bench.network.graph.pooling import window_count

_MAX_PADDING = 1 << 12
_MAX_AXES = 5
_MAX_CHANNEL_BITS = 16


def infer_shape(node: Node, inputs: list[Shape], graph: Graph) -> Shape:
    """Infers the shape of a node's value from its inputs' shapes and its weights.

    Raises:
        ModelError: the operator cannot be applied to them.

    >>> node = MaxPoolNode("pool", ("x",), (), kernel=(2, 2), stride=(2, 2), padding=(0, 0))
    >>> infer_shape(node, [(8, 6, 4)], Graph((), {}))
    (8, 3, 2)
    """
    rule = _RULES.get(type(node))
    return inputs[0] if rule is None else rule(node, inputs, graph)


def parameter(node: Node, graph: Graph, name: str) -> np.ndarray:
    """Returns the parameter called `name` that a node cites: float32, finite, not empty.

    Raises:
        ModelError: the graph has no such parameter.

    >>> node = LinearNode("head", ("x",), (1,), "head.weight", None)
    >>> parameter(node, Graph((), {}), "head.weight")
    Traceback (most recent call last):
    pi_bench.errors.ModelError: linear 'head' cites the parameter 'head.weight', which the graph does not have
    """
    array = graph.parameters.get(name)
    if array is None:
        raise fault(node, f"cites the parameter {name!r}, which the graph does not have")
    if array.dtype != np.float32 or array.size == 0:
        raise fault(node, f"has a parameter {name!r} of dtype {array.dtype}, float32 is needed")
    if not np.isfinite(array).all():
        raise fault(node, f"has NaN or infinity in its parameter {name!r}: train or load it again")
    return array


def fault(node: Node, what: str) -> ModelError:
    """Makes the error that names a node and says what is wrong with it.

    >>> str(fault(FlattenNode("flat", ("x",), (4,)), "feeds no other node"))
    "flatten 'flat' feeds no other node"
    """
    return ModelError(f"{operator_name(node)} {node.name!r} {what}")


def _input(node: InputNode, inputs: list[Shape], graph: Graph) -> Shape:
    if len(node.shape) not in (1, 2, 3) or min(node.shape) < 1:
        raise fault(
            node,
            f"has shape {node.shape}; (features,), (channels, length) or (channels, height, width) is needed",
        )
    bits = node.channel_bits
    if bits is not None and (
        len(bits) != node.shape[0] or not 0 <= min(bits) <= max(bits) <= _MAX_CHANNEL_BITS
    ):
        raise fault(
            node,
            f"has {len(bits)} factors 2**bits; {node.shape[0]} of 0 to {_MAX_CHANNEL_BITS} bits are needed",
        )
    return tuple(node.shape)


def _conv(node: ConvNode, inputs: list[Shape], graph: Graph) -> Shape:
    weight, first = parameter(node, graph, node.weight), inputs[0]
    groups = node.groups
    if groups < 1 or weight.ndim != 4 or len(first) != 3 or weight.shape[1] * groups != first[0]:
        raise fault(node, f"has weights {weight.shape} that do not fit an input of shape {first}")
    if weight.shape[0] % groups:
        raise fault(node, f"has {weight.shape[0]} output channels in {groups} groups")
    if min(node.dilation) < 1 or max(node.dilation) >= _MAX_PADDING:
        raise fault(node, f"has dilation {node.dilation}")
    extent = tuple((taps - 1) * step + 1 for taps, step in zip(weight.shape[2:], node.dilation, strict=True))
    counts = _window_counts(node, first, (extent[0], extent[1]), node.stride, node.padding, ceil=False)
    return (int(weight.shape[0]), *counts)


def _linear(node: LinearNode, inputs: list[Shape], graph: Graph) -> Shape:
    weight = parameter(node, graph, node.weight)
    if weight.ndim != 2 or inputs[0] != (weight.shape[1],):
        raise fault(node, f"has weights {weight.shape} that do not fit an input of shape {inputs[0]}")
    return (int(weight.shape[0]),)


def _scale(node: ScaleNode, inputs: list[Shape], graph: Graph) -> Shape:
    if node.factor == 0 or not math.isfinite(node.factor) or not math.isfinite(node.shift):
        raise fault(node, f"has factor {node.factor} and shift {node.shift}")
    return inputs[0]


def _clamp(node: ClampNode, inputs: list[Shape], graph: Graph) -> Shape:
    low = -math.inf if node.low is None else node.low
    high = math.inf if node.high is None else node.high
    if not low < high or (math.isinf(low) and math.isinf(high)):
        raise fault(node, f"has the bounds {node.low} and {node.high}; the second must be larger")
    return inputs[0]


def _leaky_relu(node: LeakyReluNode, inputs: list[Shape], graph: Graph) -> Shape:
    if not abs(node.slope) < 1:
        raise fault(node, f"has the slope {node.slope}; between -1 and 1 is possible")
    return inputs[0]


def _add(node: AddNode, inputs: list[Shape], graph: Graph) -> Shape:
    if inputs[0] != inputs[1]:
        raise fault(node, f"adds shapes {inputs[0]} and {inputs[1]}; equal ones are needed")
    return inputs[0]


def _concat(node: ConcatNode, inputs: list[Shape], graph: Graph) -> Shape:
    if len({shape[1:] for shape in inputs}) != 1:
        raise fault(node, f"joins shapes {inputs}, which differ in more than their channels")
    return (sum(shape[0] for shape in inputs), *inputs[0][1:])


def _pool(node: AvgPoolNode | MaxPoolNode, inputs: list[Shape], graph: Graph) -> Shape:
    first = _map(node, inputs[0])
    sides = padding_sides(node.padding)
    if any(max(sides[2 * axis : 2 * axis + 2]) >= node.kernel[axis] for axis in (0, 1)):
        raise fault(node, f"has a padding {node.padding} that its kernel {node.kernel} does not exceed")
    if isinstance(node, AvgPoolNode) and node.divisor is not None and not 1 <= node.divisor < 1 << 24:
        raise fault(node, f"divides by {node.divisor}")
    return (first[0], *_window_counts(node, first, node.kernel, node.stride, node.padding, ceil=node.ceil))


def _adaptive(node: AdaptiveAvgPoolNode, inputs: list[Shape], graph: Graph) -> Shape:
    first = _map(node, inputs[0])
    if len(node.shape) != 3 or min(node.shape) < 1 or node.shape[0] != first[0]:
        raise fault(node, f"pools {first} to {node.shape}")
    return tuple(node.shape)


def _reshape(node: ReshapeNode, inputs: list[Shape], graph: Graph) -> Shape:
    if not 1 <= len(node.shape) <= _MAX_AXES or math.prod(node.shape) != math.prod(inputs[0]):
        raise fault(node, f"reshapes {inputs[0]} to {node.shape}")
    return tuple(node.shape)


def _permute(node: PermuteNode, inputs: list[Shape], graph: Graph) -> Shape:
    if sorted(node.axes) != list(range(len(inputs[0]))):
        raise fault(node, f"brings the axes of {inputs[0]} into the order {node.axes}")
    return tuple(inputs[0][axis] for axis in node.axes)


def _slice(node: SliceNode, inputs: list[Shape], graph: Graph) -> Shape:
    first, count = inputs[0], node.shape[0] if node.shape else 0
    if count < 1 or node.first + count > first[0]:
        raise fault(node, f"takes {count} channels from {node.first} on of {first}")
    return (count, *first[1:])


def _take(node: TakeNode, inputs: list[Shape], graph: Graph) -> Shape:
    first, positions = inputs[0], node.positions
    if not positions or max(positions) >= first[0]:
        raise fault(node, f"takes channel {max(positions, default=0)} of {first}")
    return (len(positions), *first[1:])


def _subsample(node: SubsampleNode, inputs: list[Shape], graph: Graph) -> Shape:
    first = _map(node, inputs[0])
    if min(node.stride) < 1 or len(node.shape) != 3 or min(node.shape) < 1:
        raise fault(node, f"takes every {node.stride} of {first} to {node.shape}")
    return (first[0], *node.shape[1:])


def _pad(node: PadNode, inputs: list[Shape], graph: Graph) -> Shape:
    first, sides = inputs[0], padding_sides(node.padding)
    if max(*sides, *node.channels) >= _MAX_PADDING or (any(sides) and len(first) != 3):
        raise fault(node, f"pads {first} by {node.channels} channels and {sides}")
    channels = first[0] + sum(node.channels)
    if len(first) != 3:
        return (channels, *first[1:])
    return (channels, first[1] + sides[0] + sides[1], first[2] + sides[2] + sides[3])


def _map(node: Node, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise fault(node, f"needs (channels, height, width), not {shape}")
    return shape


def _window_counts(
    node: Node, shape: Shape, window: Pair, stride: Pair, padding: Padding, *, ceil: bool
) -> Pair:
    sides = padding_sides(padding)
    if min(window) < 1 or min(stride) < 1 or max(sides) >= _MAX_PADDING:
        raise fault(node, f"has a window {window}, stride {stride}, padding {padding}")
    rows, columns = (
        window_count(
            shape[1 + axis],
            window[axis],
            stride[axis],
            sides[2 * axis],
            sides[2 * axis + 1],
            ceil=ceil,
        )
        for axis in (0, 1)
    )
    if rows < 1 or columns < 1:
        raise fault(node, f"has a window {window} larger than its padded input {shape}")
    return rows, columns


_RULES: Mapping[type[Node], Callable[[Any, list[Shape], Graph], Shape]] = {
    InputNode: _input,
    ConvNode: _conv,
    LinearNode: _linear,
    ScaleNode: _scale,
    ClampNode: _clamp,
    LeakyReluNode: _leaky_relu,
    AddNode: _add,
    ConcatNode: _concat,
    AvgPoolNode: _pool,
    MaxPoolNode: _pool,
    AdaptiveAvgPoolNode: _adaptive,
    FlattenNode: lambda node, inputs, graph: (math.prod(inputs[0]),),
    ReshapeNode: _reshape,
    PermuteNode: _permute,
    SliceNode: _slice,
    SubsampleNode: _subsample,
    TakeNode: _take,
    PadNode: _pad,
    FusedNode: lambda node, inputs, graph: tuple(node.shape),
}
"""Operators whose value has another shape than their first input, or that can be wrong for it."""
