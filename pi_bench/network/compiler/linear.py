"""Compiles nodes without activations or pools: weights, sums, concatenations, and moves of elements."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pi_bench.network.compiler import sums
from pi_bench.network.compiler.sums import Expression, FloatWeights, Handler
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import (
    AddNode,
    BatchNormNode,
    ConcatNode,
    ConvNode,
    FlattenNode,
    LinearNode,
    Node,
    PadNode,
    PermuteNode,
    ReshapeNode,
    ScaleNode,
    SliceNode,
    SubsampleNode,
    TakeNode,
    padding_sides,
)
from pi_bench.network.graph.batch_norm import gain_and_shift
from pi_bench.network.program import ChannelMap, ChannelSlice, Pad, Permute, Shape, Subsample


def _shape(values: Values, node: Node) -> Shape:
    return (values.options.batch, *node.shape)


def _conv(values: Values, node: ConvNode) -> Expression:
    operand = values.single(node.inputs[0])
    operand, zeros = sums.take_padding(operand)
    padding = tuple(a + b for a, b in zip(padding_sides(node.padding), zeros, strict=True))
    weight = values.graph.parameters[node.weight].astype(np.float64)
    stride = node.stride
    if weight.shape[2:] == (1, 1) and not any(padding) and stride != (1, 1):
        operand, stride = subsampled(operand, stride), (1, 1)
    weights = FloatWeights(
        f"{node.name}.weight", weight, stride, padding_sides(padding), node.dilation, node.groups
    )
    bias = None if node.bias is None else values.graph.parameters[node.bias]
    return sums.weigh(operand, _shape(values, node), weights, bias)


def subsampled(operand: Expression, stride: tuple[int, int]) -> Expression:
    """Takes every `stride`-th row and column of an expression that `is_local`.

    >>> subsampled(sums.of_value(0, 10, (1, 2, 5, 4)), (2, 2)).shape
    (1, 2, 3, 2)
    """
    rows, columns = (-(-size // step) for size, step in zip(operand.shape[2:], stride, strict=True))
    op = Subsample(stride, (0, 0), (rows, columns))
    return sums.apply(operand, op, (*operand.shape[:2], rows, columns))


def _linear(values: Values, node: LinearNode) -> Expression:
    weights = FloatWeights(f"{node.name}.weight", values.graph.parameters[node.weight].astype(np.float64))
    bias = None if node.bias is None else values.graph.parameters[node.bias]
    return sums.weigh(values.single(node.inputs[0]), _shape(values, node), weights, bias)


def _batch_norm(values: Values, node: BatchNormNode) -> Expression:
    gain, shift = gain_and_shift(node, values.graph)
    return sums.normalize(values.weighable(node.inputs[0]), gain, shift, node.name)


def _scale(values: Values, node: ScaleNode) -> Expression:
    return sums.scale(values.summand(node.inputs[0]), node.factor, node.shift)


def _add(values: Values, node: AddNode) -> Expression:
    return sums.add([values.summand(name) for name in node.inputs])


def _concat(values: Values, node: ConcatNode) -> Expression:
    shape, first, parts = _shape(values, node), 0, []
    for name in node.inputs:
        part = values.summand(name)
        parts.append(sums.place(part, first, shape))
        first += part.shape[1]
    return sums.add(parts)


def _reshape(values: Values, node: FlattenNode | ReshapeNode) -> Expression:
    name, shape = node.inputs[0], _shape(values, node)
    if values.expressions[values.source(name)].shape == shape:
        return values.summand(name)
    return sums.reshape(values.local(name), shape)


def _permute(values: Values, node: PermuteNode) -> Expression:
    axes = (0, *(1 + axis for axis in node.axes))
    return sums.apply(values.local(node.inputs[0]), Permute(axes), _shape(values, node))


def _slice(values: Values, node: SliceNode) -> Expression:
    op = ChannelSlice(node.first, node.shape[0])
    return sums.apply(values.local(node.inputs[0]), op, _shape(values, node))


def _take(values: Values, node: TakeNode) -> Expression:
    return sums.apply(values.local(node.inputs[0]), ChannelMap(node.positions), _shape(values, node))


def _subsample(values: Values, node: SubsampleNode) -> Expression:
    op = Subsample(node.stride, node.offset, (node.shape[1], node.shape[2]))
    return sums.apply(values.local(node.inputs[0]), op, _shape(values, node))


def _pad(values: Values, node: PadNode) -> Expression:
    name, sides = node.inputs[0], padding_sides(node.padding)
    if any(sides):
        operand = values.local(name)
        padded = (*operand.shape[:2], *node.shape[1:])
        operand = sums.apply(operand, Pad(sides), padded)
    else:
        operand = values.summand(name)
    return sums.place(operand, node.channels[0], _shape(values, node))


HANDLERS: Mapping[type[Node], Handler] = {
    ConvNode: _conv,
    LinearNode: _linear,
    BatchNormNode: _batch_norm,
    ScaleNode: _scale,
    AddNode: _add,
    ConcatNode: _concat,
    FlattenNode: _reshape,
    ReshapeNode: _reshape,
    PermuteNode: _permute,
    SliceNode: _slice,
    SubsampleNode: _subsample,
    TakeNode: _take,
    PadNode: _pad,
}
