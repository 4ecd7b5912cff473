"""Compiles average pools as sums over windows, and max-pools as tournaments of ReLUs.

max(a, b) = b + ReLU(a - b) is exact: nothing is truncated, and values keep their scale. A window's rows are
compared first and then its columns (or the other way round, whichever takes fewer comparisons), so that
neighboring windows share them. Outside of the input, the row or column at its edge is taken, which every
window that reaches there contains. The values that are compared in one round are stacked as channels of one
activation.

A ReLU that only a max-pool reads is moved after the pool, max(ReLU(x)) = ReLU(max(x)), so that fewer elements
have one. The values that the pool compares are truncated before, which is cheap.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pi_bench.network.compiler import sums
from pi_bench.network.compiler.linear import subsampled
from pi_bench.network.compiler.sums import Expression, Handler
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import AdaptiveAvgPoolNode, AvgPoolNode, MaxPoolNode, Node, padding_sides
from pi_bench.network.graph.pooling import PoolWindow, average_windows
from pi_bench.network.program import (
    ActivationGroup,
    ActivationKind,
    ChannelSlice,
    LinearOp,
    Subsample,
    SumPool,
    SumWindows,
    Window,
)

_MAX_COMMON_MULTIPLE = 64
_ROUNDED_FACTOR = 127


def _avg_pool(values: Values, node: AvgPoolNode | AdaptiveAvgPoolNode) -> Expression:
    """Compiles an average pool: a sum over windows, whose divisor is folded later."""
    operand = values.local(node.inputs[0])
    size = operand.shape[2:]
    shape = (operand.shape[0], *node.shape)
    rows, columns = average_windows(node, size)
    divisors = [{window.divisor for window in windows} for windows in (rows, columns)]
    if isinstance(node, AdaptiveAvgPoolNode):
        if any(extent % count for extent, count in zip(size, node.shape[1:], strict=True)):
            return _uneven(operand, rows, columns, shape)
        kernel = stride = (size[0] // node.shape[1], size[1] // node.shape[2])
        pool = SumPool(kernel, stride, sums.NO_PADDING)
        divisor = math.prod(kernel)
    else:
        if node.divisor is None and max(map(len, divisors)) > 1:
            return _uneven(operand, rows, columns, shape)
        pool = SumPool(node.kernel, node.stride, _reach(node, size))
        divisor = node.divisor or min(divisors[0]) * min(divisors[1])
    if pool.kernel == (1, 1) and not any(pool.padding):
        pooled = operand if pool.stride == (1, 1) else subsampled(operand, pool.stride)
    else:
        pooled = sums.apply(operand, pool, shape)
    return sums.scale(pooled, 1 / divisor, 0.0)


def _reach(node: AvgPoolNode, size: Sequence[int]) -> tuple[int, int, int, int]:
    """Counts the zeros around the input that the windows reach, at least those before it."""
    top, _, left, _ = padding_sides(node.padding)
    ends = ((count - 1) * node.stride[i] + node.kernel[i] for i, count in enumerate(node.shape[1:]))
    bottom, right = (
        max(0, end - first - extent) for end, first, extent in zip(ends, (top, left), size, strict=True)
    )
    return top, bottom, left, right


def _uneven(
    operand: Expression, rows: list[PoolWindow], columns: list[PoolWindow], shape: tuple[int, ...]
) -> Expression:
    (row_windows, row_unit), (column_windows, column_unit) = _factors(rows), _factors(columns)
    pooled = sums.apply(operand, SumWindows(row_windows, column_windows), shape)
    return sums.scale(pooled, row_unit * column_unit, 0.0)


def _factors(windows: list[PoolWindow]) -> tuple[tuple[Window, ...], float]:
    """Returns integer factors for windows, and the unit in which the factors are 1 / divisor.

    They are exact where the divisors have a small common multiple, and else exact to one part in 254.
    """
    common = math.lcm(*(window.divisor for window in windows))
    if common > _MAX_COMMON_MULTIPLE:
        common = _ROUNDED_FACTOR * min(window.divisor for window in windows)
    placed = tuple(Window(w.begin, w.end, round(common / w.divisor)) for w in windows)
    return placed, 1 / common


class _Axis(NamedTuple):
    """One axis of a max-pool: 0 for rows, 1 for columns."""

    axis: int
    size: int
    kernel: int
    stride: int
    before: int
    window_count: int

    @property
    def comparisons(self) -> int:
        """The comparisons per line of the input."""
        if self.slides:
            return sum(self.positions(width) for _, width in self.levels())
        return (self.kernel - 1) * self.window_count

    @property
    def slides(self) -> bool:
        """True if windows are made of maxima that neighboring windows share."""
        return self.stride == 1

    def levels(self) -> list[tuple[int, int]]:
        """Lists (width before, width after) of each doubling; the last one overlaps."""
        widths = [1]
        while widths[-1] < self.kernel:
            widths.append(min(2 * widths[-1], self.kernel))
        return list(itertools.pairwise(widths))

    def positions(self, width: int) -> int:
        """Counts the windows of a width that the final windows contain, if they slide."""
        return self.window_count + self.kernel - width


def takes_relu(node: Node) -> bool:
    """Tells if a ReLU before the node can run after it instead, on fewer elements.

    >>> takes_relu(MaxPoolNode("pool", ("relu",), (8, 2, 2), (2, 2), (2, 2), (0, 0)))
    True
    """
    return isinstance(node, MaxPoolNode) and node.kernel != (1, 1)


def _max_pool(values: Values, node: MaxPoolNode) -> Expression:
    source = node.inputs[0]
    relu = values.deferred.get(values.source(source))
    source = source if relu is None else relu
    operand = values.single(source)
    if operand.terms[0].factor != 1:
        operand = values.value(source)
    sides = padding_sides(node.padding)
    axes = [
        _Axis(i, operand.shape[2 + i], node.kernel[i], node.stride[i], sides[2 * i], node.shape[1 + i])
        for i in (0, 1)
    ]
    rows, columns = axes
    if columns.comparisons * rows.size + rows.comparisons * columns.window_count < (
        rows.comparisons * columns.size + columns.comparisons * rows.window_count
    ):
        axes.reverse()
    tournament = _Tournament(values, node, values.maximum(values.source(source)))
    for axis in axes:
        operand = tournament.along(axis, operand)
    return operand if relu is None else tournament.rectified(operand)


class _Tournament:
    """The comparisons of one max-pool over values of at most `maximum`."""

    def __init__(self, values: Values, node: MaxPoolNode, maximum: float) -> None:
        self._values = values
        self._name = node.name
        self._maximum = maximum

    def along(self, axis: _Axis, operand: Expression) -> Expression:
        """Computes the maxima of windows along one axis."""
        if axis.slides:
            offset = -axis.before
            for width, wider in axis.levels():
                count = axis.positions(wider)
                first = _picked(operand, axis, offset, 1, count)
                second = _picked(operand, axis, offset + wider - width, 1, count)
                operand, offset = self._maxima([first], [second]), 0
            if axis.kernel > 1:
                return operand
            return _picked(operand, axis, offset, 1, axis.window_count)
        contestants = [
            _picked(operand, axis, position - axis.before, axis.stride, axis.window_count)
            for position in range(axis.kernel)
        ]
        while len(contestants) > 1:
            pairs = len(contestants) // 2
            winners = self._maxima(contestants[0 : 2 * pairs : 2], contestants[1 : 2 * pairs : 2])
            contestants = [*_unstacked(winners, pairs), *contestants[2 * pairs :]]
        return contestants[0]

    def rectified(self, operand: Expression) -> Expression:
        """Applies ReLU to a value, without truncation."""
        scale_bits = operand.terms[0].source_scale_bits
        return self._relu(self._values.emit_linear(self._name, operand, scale_bits), self._maximum)

    def _relu(self, linear: LinearOp, maximum: float) -> Expression:
        op = self._values.emit_activation(
            self._name,
            linear,
            (ActivationGroup(ActivationKind.RELU, math.prod(linear.shape), None),),
            0,
            self._window_bits(maximum, linear.scale_bits),
            maximum,
        )
        return sums.of_value(op.id, op.scale_bits, op.shape, rectified=True)

    def _maxima(self, left: list[Expression], right: list[Expression]) -> Expression:
        """Computes the larger of each pair, stacked as channels."""
        values = self._values
        rectified = all(expression.rectified for expression in (*left, *right))
        first, second = _stacked(left), _stacked(right)
        difference = sums.add([first, sums.scale(second, -1.0, 0.0)])
        scale_bits = first.terms[0].source_scale_bits
        linear = values.emit_linear(self._name, difference, scale_bits)
        surplus = self._relu(linear, self._maximum if rectified else 2 * self._maximum)
        total = sums.add([second, surplus])
        larger = values.emit_linear(self._name, total, scale_bits)
        return sums.of_value(larger.id, scale_bits, larger.shape, rectified=rectified)

    def _window_bits(self, maximum: float, scale_bits: int) -> int:
        largest = math.ldexp(maximum, scale_bits)
        bits = math.frexp(largest)[1] if largest >= 1 else 1
        return bits + self._values.options.headroom


def _picked(operand: Expression, axis: _Axis, offset: int, stride: int, count: int) -> Expression:
    """Picks `count` positions of one axis, and all of the other."""
    size = operand.shape[2:]
    if (offset, stride, count) == (0, 1, size[axis.axis]):
        return operand
    if axis.axis == 0:
        op = Subsample((stride, 1), (offset, 0), (count, size[1]))
    else:
        op = Subsample((1, stride), (0, offset), (size[0], count))
    return sums.apply(operand, op, (*operand.shape[:2], *op.size))


def _stacked(expressions: list[Expression]) -> Expression:
    """Stacks values of one shape as channels."""
    channels = expressions[0].shape[1]
    shape = (expressions[0].shape[0], len(expressions) * channels, *expressions[0].shape[2:])
    return sums.add([sums.place(expression, i * channels, shape) for i, expression in enumerate(expressions)])


def _unstacked(expression: Expression, count: int) -> list[Expression]:
    if count == 1:
        return [expression]
    channels = expression.shape[1] // count
    shape = (expression.shape[0], channels, *expression.shape[2:])
    return [sums.apply(expression, ChannelSlice(i * channels, channels), shape) for i in range(count)]


HANDLERS: Mapping[type[Node], Handler] = {
    AvgPoolNode: _avg_pool,
    AdaptiveAvgPoolNode: _avg_pool,
    MaxPoolNode: _max_pool,
}
