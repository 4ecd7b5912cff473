"""ReLUs and activations made of them: clamps, and ReLUs with secret slopes (public ones: `compiler.slopes`).

    clamp(x, low, high)     low + ReLU(x - low) - ReLU(x - high), the last where x may reach it
    parametric, slope a     ReLU((1 - a) x) + a x

The parts work on linear values that share x's mask up to a factor. They are gadgets of one round, and their
sum is a linear operator without a message. Slopes fold into the weights that make x, which get twice the
output channels: the client sees a larger width, but not the slopes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pi_bench.network.compiler import pooling, sums
from pi_bench.network.compiler.options import CompileOptions
from pi_bench.network.compiler.scales import (
    ActivationScales,
    bits_below,
    scales_of_activation,
)
from pi_bench.network.compiler.sums import Expression, Handler
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import ClampNode, Graph, Node, PReluNode, ReluNode
from pi_bench.network.program import ActivationGroup, ActivationKind, ChannelSlice, LinearOp


def bounds(graph: Graph, options: CompileOptions) -> dict[str, float]:
    """Finds the magnitudes that the windows of clamped values must hold besides the calibrated ones.

    The result maps names of values that clamps read to magnitudes.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> clamp = ClampNode("clamp", ("x",), (2,), low=-3.0, high=None)
    >>> nodes = InputNode("x", (), (2,)), clamp, OutputNode("o", ("clamp",), (2,))
    >>> bounds(Graph(nodes, {}, ranges={"x": 1.0}), CompileOptions())
    {'x': 3.0}
    """
    found: dict[str, float] = {}
    for node in graph.nodes:
        if not isinstance(node, ClampNode):
            continue
        source = node.inputs[0]
        bound = max(found.get(source, 0.0), abs(node.low or 0.0))
        if node.high is not None:
            maximum = max(graph.ranges[source], bound)
            if not _is_beyond(node, maximum, options):
                bound = max(bound, abs(node.high))
        found[source] = bound
    return found


def _is_beyond(node: ClampNode, maximum: float, options: CompileOptions) -> bool:
    """Tells if the upper bound is beyond the end of the window, which the ReLU of the lower bound checks.

    The window holds `maximum` with the headroom, rounded up to a power of two, at any scale. That of a value
    shifted by a lower bound is twice as wide (`_above`).
    """
    if node.low is None or node.high is None or maximum == 0:
        return False
    end = math.ldexp(1, options.headroom - bits_below(0, maximum))
    return node.high >= (2 * end + node.low if node.low else end)


def _relu(values: Values, node: ReluNode) -> Expression:
    source = node.inputs[0]
    expression = values.expressions[values.source(source)]
    if expression.rectified:
        return values.summand(source)
    readers = values.readers(node.name)
    if node.mask is None and len(readers) == 1 and pooling.takes_relu(readers[0]):
        values.deferred[node.name] = source
        return expression
    return values.activation(node.name, source, _mask_groups(values, node), rectified=node.mask is None)


def _mask_groups(values: Values, node: ReluNode) -> tuple[ActivationGroup, ...]:
    if node.mask is None:
        return (_everywhere(ActivationKind.RELU, values.options.batch * math.prod(node.shape)),)
    return split(np.tile(values.graph.masks[node.mask].reshape(-1), values.options.batch))


def _everywhere(kind: ActivationKind, count: int) -> ActivationGroup:
    return ActivationGroup(kind, count, None)


def split(keeps_relu: np.ndarray) -> tuple[ActivationGroup, ...]:
    """Groups elements: ReLU where the flat bool array is True, truncation elsewhere.

    >>> [(group.kind.value, group.index.tolist()) for group in split(np.array([True, False, True]))]
    [('relu', [0, 2]), ('truncate', [1])]
    """
    positions = {
        ActivationKind.RELU: np.flatnonzero(keeps_relu),
        ActivationKind.TRUNCATE: np.flatnonzero(~keeps_relu),
    }
    return tuple(
        ActivationGroup(kind, index.size, None if index.size == keeps_relu.size else index.astype(np.int64))
        for kind, index in positions.items()
        if index.size
    )


def _clamp(values: Values, node: ClampNode) -> Expression:
    source = node.inputs[0]
    scales = values.scales(source, values.result_scale(node.name, source))
    values.linear_op(source, scales)  # first, since the scale of the first reader is that of all
    parts = []
    if node.low is not None:
        parts.append(_above(values, node, node.low, scales))
    else:
        parts.append(values.truncated(source))
    if node.high is not None and not _is_beyond(node, values.maximum(values.source(source)), values.options):
        parts.append(sums.scale(_above(values, node, node.high, scales), -1.0, 0.0))
    low = node.low or 0.0
    total = sums.scale(sums.add(parts), 1.0, low)
    return values.derive(node.name, replace(total, rectified=node.low is not None and node.low >= 0))


def _above(values: Values, node: ClampNode, bound: float, scales: ActivationScales) -> Expression:
    """Computes ReLU(x - bound); the window of a shifted value is one bit wider, since bounds are within
    `maximum`.
    """
    source = node.inputs[0]
    linear = values.linear_op(source, scales)
    maximum = values.maximum(values.source(source))
    truncate_bits = linear.scale_bits - scales.activation
    window_bits = truncate_bits + scales.window_above
    if bound:
        shifted = sums.scale(_read(linear), 1.0, -bound)
        linear = values.emit_linear(node.name, shifted, linear.scale_bits)
        window_bits, maximum = window_bits + 1, 2 * maximum
    groups = (_everywhere(ActivationKind.RELU, math.prod(linear.shape)),)
    op = values.emit_activation(node.name, linear, groups, truncate_bits, window_bits, maximum)
    return sums.of_value(op.id, op.scale_bits, op.shape, rectified=True)


def _read(linear: LinearOp) -> Expression:
    return sums.of_value(linear.id, linear.scale_bits, linear.shape)


def _prelu(values: Values, node: PReluNode) -> Expression:
    """Compiles ReLUs with any slopes.

    If some slopes are above 1, a third part is subtracted. All channels have it, so that the slopes stay
    secret.
    """
    source = node.inputs[0]
    if values.expressions[values.source(source)].rectified:
        return values.summand(source)
    expression = values.weighable(source)
    channels = expression.shape[1]
    slopes = np.broadcast_to(values.graph.parameters[node.weight].astype(np.float64), channels)
    gains = [np.maximum(1 - slopes, 0), slopes]
    signs = [1.0, 1.0]
    if (slopes > 1).any():
        gains.append(np.maximum(slopes - 1, 0))
        signs.append(-1.0)
    copies = stacked(expression, gains, f"{node.name}.slope")
    maximum = values.maximum(values.source(source)) * max(1.0, *(float(np.abs(gain).max()) for gain in gains))
    result_scale = values.result_scale(node.name, source)
    scales = scales_of_activation(node.name, copies, maximum, result_scale, values.options)
    linear = values.emit_linear(node.name, copies, scales.linear)
    keeps_relu = np.ones((values.options.batch, len(gains), channels, *linear.shape[2:]), np.bool_)
    keeps_relu[:, 1] = False
    groups = split(keeps_relu.reshape(-1))
    op = values.emit_activation(node.name, linear, groups, scales.truncate_bits, scales.window_bits, maximum)
    whole = sums.of_value(op.id, op.scale_bits, op.shape)
    parts = (
        sums.apply(whole, ChannelSlice(i * channels, channels), expression.shape) for i in range(len(gains))
    )
    total = sums.add([sums.scale(part, sign, 0.0) for part, sign in zip(parts, signs, strict=True)])
    return values.derive(node.name, total)


def stacked(expression: Expression, gains: list[np.ndarray], name: str) -> Expression:
    """Multiplies the expression by each gain (channels,), and stack the copies as channels.

    >>> stacked(sums.of_value(0, 10, (1, 2)), [np.ones(2), np.full(2, 0.5)], "slope").shape
    (1, 4)
    """
    channels = expression.shape[1]
    shape = (expression.shape[0], len(gains) * channels, *expression.shape[2:])
    zero = np.zeros(channels)
    copies = [sums.normalize(expression, gain, zero, f"{name}.{i}") for i, gain in enumerate(gains)]
    terms = []
    for position, term in enumerate(expression.terms):
        own = [copy.terms[position] for copy in copies]
        weights = [part.weights for part in own if part.weights is not None]
        if term.weights is not None and term.weights.groups == 1 and term.shape == expression.shape:
            values = np.concatenate([part.values for part in weights])
            terms.append(replace(own[0], shape=shape, weights=replace(weights[0], values=values)))
            continue
        for i, (part, own_weights) in enumerate(zip(own, weights, strict=True)):
            named = replace(own_weights, name=f"{own_weights.name}.{i}") if i else own_weights
            first = part.first_channel + i * channels
            terms.append(replace(part, first_channel=first, weights=named))
    biases = [copy.bias for copy in copies if copy.bias is not None and expression.bias is not None]
    return Expression(shape, tuple(terms), np.concatenate(biases) if biases else None)


HANDLERS: Mapping[type[Node], Handler] = {
    ReluNode: _relu,
    ClampNode: _clamp,
    PReluNode: _prelu,
}
