"""Windows of pools along one axis as torch places them: their positions and the divisors of their means."""

from __future__ import annotations

from typing import NamedTuple

from pi_bench.network.graph.layer_nodes import AdaptiveAvgPoolNode, AvgPoolNode
from pi_bench.network.graph.node import padding_sides


class PoolWindow(NamedTuple):
    """The input's positions [begin, end), none of them padding; the mean divides by `divisor`.

    >>> PoolWindow(begin=0, end=2, divisor=3).end  # one zero of the padding is counted
    2
    """

    begin: int
    end: int
    divisor: int


def window_count(size: int, window: int, stride: int, before: int, after: int, *, ceil: bool) -> int:
    """Counts the windows that begin in the input or in the padding before it.

    The result is at most 0 if the input is too small. `ceil` adds a last window that ends beyond the padding,
    unless it would begin there.

    >>> window_count(size=5, window=2, stride=2, before=0, after=0, ceil=False)
    2
    >>> window_count(size=5, window=2, stride=2, before=0, after=0, ceil=True)
    3
    """
    room = size + before + after - window
    count = (room + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (count - 1) * stride >= size + before:
        count -= 1
    return count


def average_windows(
    node: AvgPoolNode | AdaptiveAvgPoolNode, size: tuple[int, ...]
) -> tuple[list[PoolWindow], list[PoolWindow]]:
    """Returns the windows of rows and of columns for an input of `size` (rows, columns).

    The node's own `divisor` is disregarded.

    >>> node = AdaptiveAvgPoolNode("pool", ("x",), (1, 1, 2))
    >>> rows, columns = average_windows(node, (1, 3))
    >>> [(window.begin, window.end) for window in columns]
    [(0, 2), (1, 3)]
    """
    if isinstance(node, AdaptiveAvgPoolNode):
        rows, columns = (
            [_adaptive(i, extent, count) for i in range(count)]
            for extent, count in zip(size, node.shape[1:], strict=True)
        )
        return rows, columns
    sides = padding_sides(node.padding)
    rows, columns = (
        [
            _window(
                i * node.stride[axis] - sides[2 * axis],
                node.kernel[axis],
                size[axis],
                sides[2 * axis + 1],
                node.count_padding,
            )
            for i in range(node.shape[1 + axis])
        ]
        for axis in (0, 1)
    )
    return rows, columns


def _window(start: int, kernel: int, size: int, after: int, count_padding: bool) -> PoolWindow:
    stop = min(start + kernel, size + after)
    begin, end = max(start, 0), min(stop, size)
    return PoolWindow(begin, end, stop - start if count_padding else end - begin)


def _adaptive(i: int, size: int, count: int) -> PoolWindow:
    begin, end = i * size // count, -(-(i + 1) * size // count)
    return PoolWindow(begin, end, end - begin)
