"""Lowers calls with weights, and sums: convolution, batch and instance normalization, addition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pi_bench.network.graph import AddNode, BatchNormNode, ConvNode, Padding
from pi_bench.network.lowering.lines import give, map_of, map_shape, sizes
from pi_bench.network.lowering.selections import expanded
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, refuse, result_shape


def _convolution(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = map_of(lowering, call, given["input"])
    dilation = sizes(call, given["dilation"], 1)
    name = lowering.name(call, "conv")
    node = ConvNode(
        name=name,
        inputs=(source.name,),
        shape=map_shape(call),
        weight=_kernel(lowering, call, given["weight"], name),
        bias=lowering.optional_parameter(call, given["bias"]),
        stride=sizes(call, given["stride"], 1),
        padding=_padding(call, given["padding"], given["weight"], dilation),
        dilation=dilation,
        groups=int(given["groups"]),
    )
    give(lowering, call, node)


def _kernel(lowering: Lowering, call: FxNode, weight: FxNode, name: str) -> str:
    """Returns the name of the weights (out, in / groups, kh, kw); those of one dimension get height 1."""
    if len(weight.meta["val"].shape) == 4:
        return lowering.parameter(call, weight)
    values = lowering.constant(weight)
    if values is None:
        raise refuse(call, "its weights must be parameters or buffers of the module")
    return lowering.cite(f"{name}.weight", values[:, :, None, :])


def _padding(call: FxNode, padding: Any, weight: FxNode, dilation: tuple[int, int]) -> Padding:
    if padding == "valid":
        return (0, 0)
    if padding != "same":
        return sizes(call, padding, 0)
    kernel = [1, *(int(size) for size in weight.meta["val"].shape[2:])][-2:]
    total = [(size - 1) * step for size, step in zip(kernel, dilation, strict=True)]
    rows, columns = ((zeros // 2, zeros - zeros // 2) for zeros in total)
    return (*rows, *columns) if any(zeros % 2 for zeros in total) else (rows[0], columns[0])


def _batch_norm(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if given.get("running_mean") is None or given.get("running_var") is None:
        raise refuse(call, "batch normalization needs running statistics (track_running_stats=True)")
    node = BatchNormNode(
        name=lowering.name(call, "batch_norm"),
        inputs=(lowering.value(call, given["input"]).name,),
        shape=result_shape(call),
        weight=lowering.optional_parameter(call, given["weight"]),
        bias=lowering.optional_parameter(call, given["bias"]),
        mean=lowering.parameter(call, given["running_mean"]),
        variance=lowering.parameter(call, given["running_var"]),
        epsilon=float(given["eps"]),
    )
    lowering.add(call, node)


def _instance_norm(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if given["use_input_stats"]:
        raise refuse(
            call,
            "its statistics are those of each input, which no private network computes; use "
            "torch.nn.BatchNorm2d, or track_running_stats=True and train again",
        )
    _batch_norm(lowering, call, given)


def _add(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if not hasattr(given["other"], "op") or given["alpha"] != 1:
        raise refuse(
            call, "only the sum of two activations of equal shape is supported (no constant, no alpha)"
        )
    left, right = lowering.value(call, given["self"]), lowering.value(call, given["other"])
    shape = result_shape(call)
    left, right = (expanded(lowering, call, value, shape) for value in (left, right))
    lowering.add(call, AddNode(lowering.name(call, "add"), (left.name, right.name), shape))


TRANSLATORS: Mapping[str, Translator] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "instance_norm": _instance_norm,
    "add": _add,
}
