"""Calls that pool: averages, sums and maxima over windows of a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pi_bench.network.graph import (
    AdaptiveAvgPoolNode,
    AvgPoolNode,
    FlattenNode,
    MaxPoolNode,
    Node,
    Pair,
    ReshapeNode,
    Shape,
)
from pi_bench.network.lowering.trace import FxNode, Trace, Translator, pair, refuse, result_shape


def _map(trace: Trace, call: FxNode, argument: Any) -> Node:
    source = trace.value(call, argument)
    if len(source.shape) != 3:
        raise refuse(call, f"it pools {source.shape}; (channels, height, width) is supported")
    return source


def _avg_pool(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source, kernel = _map(trace, call, given["self"]), pair(given["kernel_size"])
    node = AvgPoolNode(
        name=trace.name(call, "avg_pool2d"),
        inputs=(source.name,),
        shape=result_shape(call),
        kernel=kernel,
        stride=pair(given["stride"]) if given["stride"] else kernel,
        padding=pair(given["padding"]),
        ceil=bool(given["ceil_mode"]),
        count_padding=bool(given["count_include_pad"]),
        divisor=None if given["divisor_override"] is None else int(given["divisor_override"]),
    )
    trace.add(call, node)


def _adaptive_avg_pool(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = _map(trace, call, given["self"]), result_shape(call)
    name = trace.name(call, "adaptive_avg_pool2d")
    kernel = _dividing_kernel(source, shape)
    node: Node = AdaptiveAvgPoolNode(name, (source.name,), shape)
    if kernel is not None:
        node = AvgPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0))
    trace.add(call, node)


def _dividing_kernel(source: Node, shape: Shape) -> Pair | None:
    if any(size % count for size, count in zip(source.shape[1:], shape[1:], strict=True)):
        return None
    return (source.shape[1] // shape[1], source.shape[2] // shape[2])


def _max_pool(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if pair(given["dilation"]) != (1, 1):
        raise refuse(call, "dilated pooling is not supported; use dilation=1")
    source, kernel = _map(trace, call, given["self"]), pair(given["kernel_size"])
    node = MaxPoolNode(
        name=trace.name(call, "max_pool2d"),
        inputs=(source.name,),
        shape=result_shape(call),
        kernel=kernel,
        stride=pair(given["stride"]) if given["stride"] else kernel,
        padding=pair(given["padding"]),
        ceil=bool(given["ceil_mode"]),
    )
    trace.add(call, node)


def _adaptive_max_pool(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = _map(trace, call, given["self"]), result_shape(call)
    kernel = _dividing_kernel(source, shape)
    if kernel is None:
        raise refuse(call, f"its output {shape[1:]} must divide its input {source.shape[1:]}")
    name = trace.name(call, "adaptive_max_pool2d")
    trace.add(call, MaxPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0)))


def _kernel_of_axes(call: FxNode, source: Node, dimensions: Any) -> tuple[int, int]:
    rank = len(source.shape) + 1
    axes = {axis % rank for axis in dimensions or ()}
    if len(source.shape) != 3 or not axes or not axes <= {2, 3}:
        raise refuse(call, "only height and width (dim=(2, 3)) can be reduced")
    return (source.shape[1] if 2 in axes else 1, source.shape[2] if 3 in axes else 1)


def _reduced(trace: Trace, call: FxNode, given: dict[str, Any], kind: str) -> None:
    source = trace.value(call, given["self"])
    dimensions = given.get("dim")
    kernel = _kernel_of_axes(call, source, [dimensions] if isinstance(dimensions, int) else dimensions)
    shape = (source.shape[0], source.shape[1] // kernel[0], source.shape[2] // kernel[1])
    name, inputs = trace.name(call, kind), (source.name,)
    pooled: Node = (
        MaxPoolNode(name, inputs, shape, kernel, kernel, (0, 0))
        if kind == "amax"
        else AvgPoolNode(name, inputs, shape, kernel, kernel, (0, 0), divisor=1 if kind == "sum" else None)
    )
    trace.add(call, pooled)
    if result_shape(call) != shape:
        name, flat = trace.name(call, "flatten"), result_shape(call)
        kind_of_node = FlattenNode if len(flat) == 1 else ReshapeNode
        trace.add(call, kind_of_node(name, (pooled.name,), flat))


def _mean(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    _reduced(trace, call, given, "mean")


def _sum(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    _reduced(trace, call, given, "sum")


def _amax(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    _reduced(trace, call, given, "amax")


TRANSLATORS: Mapping[str, Translator] = {
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "adaptive_max_pool2d": _adaptive_max_pool,
    "mean": _mean,
    "sum": _sum,
    "amax": _amax,
}
