"""Lowers calls that pool: averages, sums and maxima over windows of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pi_bench.network.graph import (
    AdaptiveAvgPoolNode,
    AvgPoolNode,
    MaxPoolNode,
    Node,
    Padding,
    Pair,
    Shape,
    padding_sides,
)
from pi_bench.network.lowering.arrangement import taken
from pi_bench.network.lowering.lines import give, map_of, map_shape, sizes
from pi_bench.network.lowering.padding import surrounds_with_minus_infinity
from pi_bench.network.lowering.state import (
    FxNode,
    Lowering,
    Translator,
    arguments,
    refuse,
    stem,
)


def _avg_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, kernel = map_of(lowering, call, given["self"]), sizes(call, given["kernel_size"], 1)
    divisor = given.get("divisor_override")  # which pools of one dimension do not have
    node = AvgPoolNode(
        name=lowering.name(call, stem(call)),
        inputs=(source.name,),
        shape=map_shape(call),
        kernel=kernel,
        stride=sizes(call, given["stride"], 1) if given["stride"] else kernel,
        padding=sizes(call, given["padding"], 0),
        ceil=bool(given["ceil_mode"]),
        count_padding=bool(given["count_include_pad"]),
        divisor=None if divisor is None else int(divisor),
    )
    give(lowering, call, node)


def _adaptive_avg_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = map_of(lowering, call, given["self"]), map_shape(call)
    name = lowering.name(call, stem(call))
    kernel = _dividing_kernel(source, shape)
    node: Node = AdaptiveAvgPoolNode(name, (source.name,), shape)
    if kernel is not None:
        node = AvgPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0))
    give(lowering, call, node)


def _dividing_kernel(source: Node, shape: Shape) -> Pair | None:
    if any(size % count for size, count in zip(source.shape[1:], shape[1:], strict=True)):
        return None
    return (source.shape[1] // shape[1], source.shape[2] // shape[2])


def _max_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    argument, kernel = given["self"], sizes(call, given["kernel_size"], 1)
    rows, columns = sizes(call, given["padding"], 0)
    stride = sizes(call, given["stride"], 1) if given["stride"] else kernel
    padding: Padding = (rows, columns)
    if surrounds_with_minus_infinity(argument):
        around = arguments(argument)
        left, right, top, bottom = (int(pad) for pad in (*around["pad"], 0, 0)[:4])
        argument, padding = around["self"], (top + rows, bottom + rows, left + columns, right + columns)
    source, name, shape = map_of(lowering, call, argument), lowering.name(call, _word(call)), map_shape(call)
    dilation = sizes(call, given["dilation"], 1)
    if dilation != (1, 1):
        lowering.reserved.add(name)
        windows = list(zip(kernel, stride, dilation, padding_sides(padding)[::2], strict=True))
        give(lowering, call, _dilated(lowering, call, source, name, shape, windows))
        return
    ceil = bool(given["ceil_mode"])
    give(lowering, call, MaxPoolNode(name, (source.name,), shape, kernel, stride, padding, ceil))


def _dilated(
    lowering: Lowering,
    call: FxNode,
    source: Node,
    name: str,
    shape: Shape,
    windows: Sequence[tuple[int, int, int, int]],
) -> Node:
    """Lowers a max-pool whose windows leave out rows or columns. Returns its last node, to be added.

    The elements of the windows are put next to each other first, along one axis after the other. Then windows
    of neighbors are pooled. `windows` has the kernel, stride, dilation and zeros before of each axis.
    """
    for axis, (taps, *window) in enumerate(windows, 1):
        positions = _window_positions(call, source.shape[axis], shape[axis], taps, *window)
        source = taken(lowering, call, source, axis, positions)
        if axis == 1 and taps > 1:
            down = (shape[0], shape[1], source.shape[2])
            own = lowering.name(call, _word(call))
            source = lowering.append(MaxPoolNode(own, (source.name,), down, (taps, 1), (taps, 1), (0, 0)))
    kernel = (1, windows[1][0])
    return MaxPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0))


def _word(call: FxNode) -> str:
    return stem(call).removesuffix("_with_indices")


def _window_positions(
    call: FxNode, size: int, count: int, taps: int, stride: int, dilation: int, before: int
) -> list[int]:
    """Lists the positions of `count` windows of one axis. Padding is another position of the same window."""
    positions = []
    for window in range(count):
        read = [window * stride - before + tap * dilation for tap in range(taps)]
        inside = [position for position in read if 0 <= position < size]
        if not inside:
            raise refuse(call, "a window has nothing but padding; give it less padding")
        positions += [position if position in inside else inside[0] for position in read]
    return positions


def _adaptive_max_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = map_of(lowering, call, given["self"]), map_shape(call)
    kernel = _dividing_kernel(source, shape)
    if kernel is None:
        raise refuse(call, f"its output {shape[1:]} must divide its input {source.shape[1:]}")
    name = lowering.name(call, _word(call))
    give(lowering, call, MaxPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0)))


TRANSLATORS: Mapping[str, Translator] = {
    "avg_pool1d": _avg_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool1d": _adaptive_avg_pool,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "max_pool1d": _max_pool,
    "max_pool1d_with_indices": _max_pool,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "adaptive_max_pool1d": _adaptive_max_pool,
    "adaptive_max_pool2d": _adaptive_max_pool,
}
