"""Windows of pools along one axis, as torch places them: where they lie, and what a mean divides by."""

from __future__ import annotations

from typing import NamedTuple

from pi_bench.network.graph.nodes import AdaptiveAvgPoolNode, AvgPoolNode, padding_sides


class PoolWindow(NamedTuple):
    """The input's positions [begin, end), none of them padding; `divisor` counts what the mean counts."""

    begin: int
    end: int
    divisor: int


def window_count(size: int, window: int, stride: int, before: int, after: int, *, ceil: bool) -> int:
    """Windows that begin in the input or the padding before it; at most 0 if the input is too small.

    `ceil`: also a last one that ends beyond the padding, unless it would begin there.
    """
    room = size + before + after - window
    count = (room + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (count - 1) * stride >= size + before:
        count -= 1
    return count


def average_windows(
    node: AvgPoolNode | AdaptiveAvgPoolNode, size: tuple[int, ...]
) -> tuple[list[PoolWindow], list[PoolWindow]]:
    """Of rows and of columns of an input of `size` (rows, columns).

    The node's own `divisor` is not regarded.
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
