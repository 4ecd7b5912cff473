"""Calls with weights, and sums: convolution, fully connected layers, batch normalization, addition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pi_bench.network.graph import AddNode, BatchNormNode, ConvNode, LinearNode, Padding
from pi_bench.network.lowering.trace import FxNode, Trace, Translator, pair, refuse, result_shape


def _convolution(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["input"])
    if len(source.shape) != 3:
        raise refuse(call, "only two-dimensional convolution (torch.nn.Conv2d) is supported")
    dilation = pair(given["dilation"])
    node = ConvNode(
        name=trace.name(call, "conv"),
        inputs=(source.name,),
        shape=result_shape(call),
        weight=trace.parameter(call, given["weight"]),
        bias=trace.optional_parameter(call, given["bias"]),
        stride=pair(given["stride"]),
        padding=_padding(given["padding"], given["weight"], dilation),
        dilation=dilation,
        groups=int(given["groups"]),
    )
    trace.add(call, node)


def _padding(padding: Any, weight: FxNode, dilation: tuple[int, int]) -> Padding:
    if padding == "valid":
        return (0, 0)
    if padding != "same":
        return pair(padding)
    kernel = [int(size) for size in weight.meta["val"].shape[2:]]
    total = [(size - 1) * step for size, step in zip(kernel, dilation, strict=True)]
    rows, columns = ((zeros // 2, zeros - zeros // 2) for zeros in total)
    return (*rows, *columns) if any(zeros % 2 for zeros in total) else (rows[0], columns[0])


def _linear(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["input"])
    if len(source.shape) != 1:
        raise refuse(call, "flatten its input to (batch, features) first, with torch.flatten(x, 1)")
    weight = trace.parameter(call, given["weight"])
    bias = trace.optional_parameter(call, given["bias"])
    name = trace.name(call, "linear")
    trace.add(call, LinearNode(name, (source.name,), result_shape(call), weight, bias))


def _batch_norm(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if given.get("running_mean") is None or given.get("running_var") is None:
        raise refuse(call, "batch normalization needs running statistics (track_running_stats=True)")
    node = BatchNormNode(
        name=trace.name(call, "batch_norm"),
        inputs=(trace.value(call, given["input"]).name,),
        shape=result_shape(call),
        weight=trace.optional_parameter(call, given["weight"]),
        bias=trace.optional_parameter(call, given["bias"]),
        mean=trace.parameter(call, given["running_mean"]),
        variance=trace.parameter(call, given["running_var"]),
        epsilon=float(given["eps"]),
    )
    trace.add(call, node)


def _add(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if not hasattr(given["other"], "op") or given["alpha"] != 1:
        raise refuse(
            call, "only the sum of two activations of equal shape is supported (no constant, no alpha)"
        )
    left, right = trace.value(call, given["self"]), trace.value(call, given["other"])
    if left.shape != right.shape:
        raise refuse(call, f"shapes {left.shape} and {right.shape} differ; add tensors of equal shape")
    trace.add(call, AddNode(trace.name(call, "add"), (left.name, right.name), left.shape))


TRANSLATORS: Mapping[str, Translator] = {
    "conv2d": _convolution,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "add": _add,
}
