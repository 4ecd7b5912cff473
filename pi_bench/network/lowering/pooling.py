"""Lowers calls that pool: averages, sums and maxima over windows of a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pi_bench.network.graph import (
    AdaptiveAvgPoolNode,
    AvgPoolNode,
    MaxPoolNode,
    Node,
    Padding,
    Pair,
    Shape,
)
from pi_bench.network.lowering.padding import surrounds_with_minus_infinity
from pi_bench.network.lowering.state import (
    FxNode,
    Lowering,
    Translator,
    arguments,
    pair,
    refuse,
    result_shape,
)


def _map(lowering: Lowering, call: FxNode, argument: Any) -> Node:
    source = lowering.value(call, argument)
    if len(source.shape) != 3:
        raise refuse(call, f"it pools {source.shape}; (channels, height, width) is supported")
    return source


def _avg_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, kernel = _map(lowering, call, given["self"]), pair(given["kernel_size"])
    node = AvgPoolNode(
        name=lowering.name(call, "avg_pool2d"),
        inputs=(source.name,),
        shape=result_shape(call),
        kernel=kernel,
        stride=pair(given["stride"]) if given["stride"] else kernel,
        padding=pair(given["padding"]),
        ceil=bool(given["ceil_mode"]),
        count_padding=bool(given["count_include_pad"]),
        divisor=None if given["divisor_override"] is None else int(given["divisor_override"]),
    )
    lowering.add(call, node)


def _adaptive_avg_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = _map(lowering, call, given["self"]), result_shape(call)
    name = lowering.name(call, "adaptive_avg_pool2d")
    kernel = _dividing_kernel(source, shape)
    node: Node = AdaptiveAvgPoolNode(name, (source.name,), shape)
    if kernel is not None:
        node = AvgPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0))
    lowering.add(call, node)


def _dividing_kernel(source: Node, shape: Shape) -> Pair | None:
    if any(size % count for size, count in zip(source.shape[1:], shape[1:], strict=True)):
        return None
    return (source.shape[1] // shape[1], source.shape[2] // shape[2])


def _max_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if pair(given["dilation"]) != (1, 1):
        raise refuse(call, "dilated pooling is not supported; use dilation=1")
    argument, kernel, (rows, columns) = given["self"], pair(given["kernel_size"]), pair(given["padding"])
    padding: Padding = (rows, columns)
    if surrounds_with_minus_infinity(argument):
        around = arguments(argument)
        left, right, top, bottom = (int(pad) for pad in (*around["pad"], 0, 0)[:4])
        argument, padding = around["self"], (top + rows, bottom + rows, left + columns, right + columns)
    source = _map(lowering, call, argument)
    node = MaxPoolNode(
        name=lowering.name(call, "max_pool2d"),
        inputs=(source.name,),
        shape=result_shape(call),
        kernel=kernel,
        stride=pair(given["stride"]) if given["stride"] else kernel,
        padding=padding,
        ceil=bool(given["ceil_mode"]),
    )
    lowering.add(call, node)


def _adaptive_max_pool(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = _map(lowering, call, given["self"]), result_shape(call)
    kernel = _dividing_kernel(source, shape)
    if kernel is None:
        raise refuse(call, f"its output {shape[1:]} must divide its input {source.shape[1:]}")
    name = lowering.name(call, "adaptive_max_pool2d")
    lowering.add(call, MaxPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0)))


TRANSLATORS: Mapping[str, Translator] = {
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "adaptive_max_pool2d": _adaptive_max_pool,
}
