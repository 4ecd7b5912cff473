"""Leaky ReLUs with public slopes: ReLU((1 - a) x) + a x, both truncated in one round, so that no scale grows.

Both parts work on linear values that share a mask up to a factor, a public integer. They are gadgets of their
own, and their sum is a linear operator without a message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pi_bench.arithmetic.law import RING_BITS
from pi_bench.errors import ModelError
from pi_bench.network.compiler import sums
from pi_bench.network.compiler.options import MAX_WINDOW_BITS
from pi_bench.network.compiler.scales import scales_of_activation, window_above_bits
from pi_bench.network.compiler.sums import Expression, Handler
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import LeakyReluNode, Node
from pi_bench.network.program import UNWINDOWED_BITS, ActivationGroup, ActivationKind, element_count

_RESERVE_BITS = 7
"""Bits left above the windows of a value that a public slope multiplies, or half of the bits for weights if
those are fewer. The slope's relative error is then at most 2^-8."""
_ROUNDED_UP = 1 + 2.0**-6
_EXACT_BITS = 4
"""Slopes of at most this many bits are exact, whatever the window leaves. So the scale of the linear value,
which depends on the gain, cannot decide if there is a gain."""
_PASSES = 3
_LARGEST_MULTIPLIER = 4095
_MIN_WINDOW_BITS = 3
"""Window above the truncated bits where a slope is so close to 1 that the ReLU's part is small."""


@dataclass(frozen=True, slots=True)
class Multiplier:
    """The public fraction ``integer / 2**bits``.

    >>> Multiplier(3, 2).value
    0.75
    """

    integer: int
    bits: int

    @property
    def value(self) -> float:
        """The fraction as a float."""
        return math.ldexp(self.integer, -self.bits)


@dataclass(frozen=True, slots=True)
class LeakySplit:
    """The parts of a leaky ReLU: leaky(x) = ReLU(`relu` * x') + `rest` * x' with x' = `gain` * x.

    ``gain * (relu + rest)`` is 1, so that positive values stay as they are, and ``gain * rest`` is the slope,
    up to its rounding.

    >>> LeakySplit(1.0, relu=Multiplier(3, 2), rest=Multiplier(1, 2)).rest.value  # slope 1/4
    0.25
    """

    gain: float
    relu: Multiplier
    rest: Multiplier


def split_slope(slope: float, truncate_bits: int, window_above_bits: int) -> LeakySplit:
    """Writes a public slope of magnitude below 1 as two multipliers of a linear value.

    The linear value is truncated by `truncate_bits`, and its window has `window_above_bits` bits above those.
    A slope that is a multiple of 1/16 is exact. For other slopes, the smaller part has a multiplier with as
    many bits as the window leaves, on a scale of its own, so that small slopes are as precise as large ones.
    The other part has no multiplier, and the gain, which folds into weights, compensates for both.

    >>> split_slope(0.25, truncate_bits=10, window_above_bits=11)
    LeakySplit(gain=1.0, relu=Multiplier(integer=3, bits=2), rest=Multiplier(integer=1, bits=2))
    """
    window_bits = truncate_bits + window_above_bits
    for bits in range(_EXACT_BITS + 1):
        whole = math.ldexp(slope, bits)
        if whole == int(whole):
            return LeakySplit(1.0, Multiplier((1 << bits) - int(whole), bits), Multiplier(int(whole), bits))
    one = Multiplier(1, 0)
    if slope <= 0.5:
        room = abs(slope) * _ROUNDED_UP * 2.0**window_bits + 2.0**truncate_bits
        rest = _rounded(slope / (1 - slope), UNWINDOWED_BITS - math.ceil(math.log2(room)))
        return LeakySplit(1 / (1 + rest.value), one, rest)
    relu = _rounded(
        (1 - slope) / slope, MAX_WINDOW_BITS - truncate_bits - relu_window(1 - slope, window_above_bits)
    )
    return LeakySplit(1 / (1 + relu.value), relu, one)


def relu_window(gain: float, window_above_bits: int) -> int:
    """Computes the bits above the truncated ones of the window of ``gain * x``.

    >>> relu_window(0.5, window_above_bits=11)
    10
    """
    return max(window_above_bits + math.ceil(math.log2(gain)), _MIN_WINDOW_BITS)


def _rounded(ratio: float, most_bits: int) -> Multiplier:
    """Rounds a ratio to a multiplier of that many bits, or fewer if the integer would grow too large."""
    _, exponent = math.frexp(_LARGEST_MULTIPLIER / abs(ratio))
    bits = min(most_bits, exponent - 1)
    return Multiplier(round(math.ldexp(ratio, bits)), bits)


def _leaky_relu(values: Values, node: LeakyReluNode) -> Expression:
    expression = values.summand(node.inputs[0])
    if expression.rectified:
        return expression
    try:
        return _in_parts(values, node, expression)
    except ModelError:
        # A product's scale may be too fine for a factor that is no power of two.
        return _in_parts(values, node, values.truncated(node.inputs[0]))


def _in_parts(values: Values, node: LeakyReluNode, expression: Expression) -> Expression:
    """Compiles a leaky ReLU of an expression.

    Raises:
        ModelError: 32 bits do not hold the expression times the gain.
    """
    source, options = node.inputs[0], values.options
    maximum = values.maximum(values.source(source))
    wanted = values.result_scale(node.name, source)
    above = window_above_bits(maximum, wanted, options)
    reserve = min(_RESERVE_BITS, max(MAX_WINDOW_BITS - above, 0) // 2) + (node.slope < 0)
    split, truncate_bits = split_slope(node.slope, 1, above), 0
    for _ in range(_PASSES):  # the gain decides the scale, and the scale the last bits of the gain
        scaled = sums.scale(expression, split.gain, 0.0)
        scales = scales_of_activation(node.name, scaled, maximum, wanted, options, reserve_bits=reserve)
        if truncate_bits == scales.truncate_bits:
            break
        truncate_bits = scales.truncate_bits
        split = split_slope(node.slope, truncate_bits, scales.window_above)
    linear = values.emit_linear(node.name, sums.scale(expression, split.gain, 0.0), scales.linear)
    read = sums.of_value(linear.id, linear.scale_bits, linear.shape)
    parts = []
    for kind, multiplier in ((ActivationKind.RELU, split.relu), (ActivationKind.TRUNCATE, split.rest)):
        if not multiplier.integer:
            continue
        gain = abs(split.gain * multiplier.value)
        above = relu_window(gain, scales.window_above)
        part = linear
        if multiplier.bits or multiplier.integer != 1:
            multiplied = sums.scale(read, multiplier.value, 0.0)
            part = values.emit_linear(node.name, multiplied, scales.linear + multiplier.bits)
        cut = truncate_bits + multiplier.bits
        groups = (ActivationGroup(kind, element_count(linear.shape), None),)
        window = min(cut + above, RING_BITS - 1)
        op = values.emit_activation(node.name, part, groups, cut, window, maximum * gain)
        parts.append(sums.of_value(op.id, op.scale_bits, op.shape))
    return values.derive(node.name, sums.add(parts))


HANDLERS: Mapping[type[Node], Handler] = {LeakyReluNode: _leaky_relu}
