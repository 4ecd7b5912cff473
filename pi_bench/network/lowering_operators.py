"""Each operator of a torch.export trace as nodes of the float graph, or refused with advice.

Only the structure of the trace is read here (names, arguments, shapes): this module needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pi_bench.errors import ModelError
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    LinearNode,
    Node,
    Pair,
    ReluNode,
    Shape,
)

FxNode = Any  # torch.fx.Node


@dataclass
class Trace:
    """The translation so far. `sources`: a placeholder's name → the parameter's or buffer's name."""

    sources: dict[str, str]
    values: dict[FxNode, Node] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def add(self, fx_node: FxNode, node: Node) -> None:
        self.nodes.append(node)
        self.values[fx_node] = node

    def name(self, fx_node: FxNode, operator: str) -> str:
        """The module's path where the operator is the module, else path and operator; unique."""
        path, kind = _module(fx_node)
        owner = kind.startswith("torch.nn.modules.") and not kind.startswith("torch.nn.modules.container")
        base = path if owner and path else ".".join(filter(None, (path, operator)))
        taken = {node.name for node in self.nodes}
        candidates = (base if i == 1 else f"{base}_{i}" for i in range(1, len(taken) + 3))
        return next(candidate for candidate in candidates if candidate not in taken | {"output"})

    def value(self, fx_node: FxNode, argument: Any) -> Node:
        node = self.values.get(argument) if hasattr(argument, "op") else None
        if node is None:
            raise refuse(fx_node, "its operands must be values computed from the network's input")
        return node

    def parameter(self, fx_node: FxNode, argument: Any) -> str:
        name = self.sources.get(getattr(argument, "name", ""))
        if name is None:
            raise refuse(fx_node, "its weights must be parameters or buffers of the module")
        return name

    def optional_parameter(self, fx_node: FxNode, argument: Any) -> str | None:
        return None if argument is None else self.parameter(fx_node, argument)


def translate(trace: Trace, fx_node: FxNode) -> None:
    """Appends the nodes of one call.

    Raises:
        ModelError: the operator, or a use of it, is not supported.
    """
    operator = str(fx_node.target).removeprefix("aten.")
    translator = TRANSLATORS.get(operator.split(".")[0])
    if fx_node.target.__class__.__name__ == "builtin_function_or_method":  # operator.getitem of a tuple
        translator = _getitem
    if translator is None:
        raise refuse(fx_node, advice(operator))
    translator(trace, fx_node, arguments(fx_node))


def advice(operator: str) -> str:
    """What to use in place of an operator that is not supported."""
    stem = operator.split(".")[0].strip("_")
    return next((words for key, words in _ADVICE if key in stem), _GENERAL_ADVICE)


def refuse(fx_node: FxNode, what_to_do: str) -> ModelError:
    path, _ = _module(fx_node)
    place = f"in module {path!r}" if path else "in the network's forward()"
    operator = str(fx_node.target).removeprefix("aten.")
    return ModelError(f"operator {operator} {place} cannot be lowered: {what_to_do}")


def _module(fx_node: FxNode) -> tuple[str, str]:
    """(path, class) of the innermost module that the call stands in."""
    stack = list((fx_node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    path, kind = stack[-1]
    return str(path), kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def arguments(fx_node: FxNode) -> dict[str, Any]:
    """Every argument by its name in the operator's schema, defaults filled in."""
    schema = getattr(fx_node.target, "_schema", None)
    if schema is None:
        return {}
    found: dict[str, Any] = {}
    for position, entry in enumerate(schema.arguments):
        if position < len(fx_node.args):
            found[entry.name] = fx_node.args[position]
        elif entry.name in fx_node.kwargs:
            found[entry.name] = fx_node.kwargs[entry.name]
        else:
            found[entry.name] = entry.default_value if entry.has_default_value() else None
    return found


def _shape(fx_node: FxNode) -> Shape:
    """Of the call's first result, without batch."""
    value = fx_node.meta["val"]
    value = value[0] if isinstance(value, tuple | list) else value
    return tuple(int(size) for size in value.shape[1:])


def _pair(value: Any) -> Pair:
    numbers = [int(value)] if isinstance(value, int) else [int(item) for item in value]
    return (numbers[0], numbers[-1])


def _convolution(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if given["groups"] != 1:
        raise refuse(call, "grouped and depthwise convolutions are not supported; use groups=1")
    if _pair(given["dilation"]) != (1, 1):
        raise refuse(call, "use dilation=1")
    source = trace.value(call, given["input"])
    if len(source.shape) != 3:
        raise refuse(call, "only two-dimensional convolution (torch.nn.Conv2d) is supported")
    padding = given["padding"]
    if isinstance(padding, str):
        kernel = tuple(int(size) for size in given["weight"].meta["val"].shape[2:])
        if padding == "same" and any(size % 2 == 0 for size in kernel):
            raise refuse(call, "padding='same' with an even kernel is not symmetric; use an odd kernel")
        padding = [size // 2 for size in kernel] if padding == "same" else [0, 0]
    node = ConvNode(
        name=trace.name(call, "conv"),
        inputs=(source.name,),
        shape=_shape(call),
        weight=trace.parameter(call, given["weight"]),
        bias=trace.optional_parameter(call, given["bias"]),
        stride=_pair(given["stride"]),
        padding=_pair(padding),
    )
    trace.add(call, node)


def _linear(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["input"])
    if len(source.shape) != 1:
        raise refuse(call, "flatten its input to (batch, features) first, with torch.flatten(x, 1)")
    weight = trace.parameter(call, given["weight"])
    bias = trace.optional_parameter(call, given["bias"])
    trace.add(call, LinearNode(trace.name(call, "linear"), (source.name,), _shape(call), weight, bias))


def _batch_norm(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if given.get("running_mean") is None or given.get("running_var") is None:
        raise refuse(call, "batch normalization needs running statistics (track_running_stats=True)")
    node = BatchNormNode(
        name=trace.name(call, "batch_norm"),
        inputs=(trace.value(call, given["input"]).name,),
        shape=_shape(call),
        weight=trace.optional_parameter(call, given["weight"]),
        bias=trace.optional_parameter(call, given["bias"]),
        mean=trace.parameter(call, given["running_mean"]),
        variance=trace.parameter(call, given["running_var"]),
        epsilon=float(given["eps"]),
    )
    trace.add(call, node)


def _getitem(trace: Trace, call: FxNode, _: dict[str, Any]) -> None:
    """The first of batch normalization's results; the others exist only in training."""
    if len(call.args) != 2 or call.args[1] != 0 or call.args[0] not in trace.values:
        raise refuse(call, _GENERAL_ADVICE)
    trace.values[call] = trace.values[call.args[0]]


def _relu(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["self"])
    trace.add(call, ReluNode(trace.name(call, "relu"), (source.name,), source.shape))


def _add(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if not hasattr(given["other"], "op") or given["alpha"] != 1:
        raise refuse(
            call, "only the sum of two activations of equal shape is supported (no constant, no alpha)"
        )
    left, right = trace.value(call, given["self"]), trace.value(call, given["other"])
    if left.shape != right.shape:
        raise refuse(call, f"shapes {left.shape} and {right.shape} differ; add tensors of equal shape")
    trace.add(call, AddNode(trace.name(call, "add"), (left.name, right.name), left.shape))


def _avg_pool(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    kernel, padding = _pair(given["kernel_size"]), _pair(given["padding"])
    if given["ceil_mode"]:
        raise refuse(call, "use ceil_mode=False")
    if not given["count_include_pad"] and padding != (0, 0):
        raise refuse(call, "use count_include_pad=True, or no padding")
    if given["divisor_override"] not in (None, kernel[0] * kernel[1]):
        raise refuse(call, "use divisor_override=None")
    source = trace.value(call, given["self"])
    stride = _pair(given["stride"]) if given["stride"] else kernel
    name = trace.name(call, "avg_pool2d")
    trace.add(call, AvgPoolNode(name, (source.name,), _shape(call), kernel, stride, padding))


def _adaptive_avg_pool(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["self"])
    shape = _shape(call)
    if any(size % out for size, out in zip(source.shape[1:], shape[1:], strict=True)):
        raise refuse(call, f"its output {shape[1:]} must divide its input {source.shape[1:]}")
    kernel = (source.shape[1] // shape[1], source.shape[2] // shape[2])
    name = trace.name(call, "adaptive_avg_pool2d")
    trace.add(call, AvgPoolNode(name, (source.name,), shape, kernel, kernel, (0, 0)))


def _mean(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["self"])
    dimensions = {axis % 4 for axis in given.get("dim") or ()}
    if len(source.shape) != 3 or dimensions != {2, 3}:
        raise refuse(call, "only the mean over height and width (dim=(2, 3)) is supported")
    kernel = (source.shape[1], source.shape[2])
    name = trace.name(call, "mean")
    pooled = AvgPoolNode(name, (source.name,), (source.shape[0], 1, 1), kernel, kernel, (0, 0))
    trace.add(call, pooled)
    if not given["keepdim"]:
        trace.add(call, FlattenNode(trace.name(call, "flatten"), (name,), (source.shape[0],)))


def _reshape(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["self"])
    shape = _shape(call)
    if shape == source.shape:
        trace.values[call] = source
        return
    if shape != (math.prod(source.shape),):
        raise refuse(call, "only a reshape to (batch, features) is supported; use torch.flatten(x, 1)")
    trace.add(call, FlattenNode(trace.name(call, "flatten"), (source.name,), shape))


def _pass_through(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if given.get("train"):
        raise refuse(call, "dropout is on in inference; use torch.nn.Dropout or training=self.training")
    trace.values[call] = trace.value(call, next(iter(given.values())))


def _conversion(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    kind = str(given.get("dtype"))
    if kind not in ("None", "torch.float32"):
        raise refuse(call, f"it makes an activation {kind}; keep activations float32")
    trace.values[call] = trace.value(call, given["self"])


TRANSLATORS: dict[str, Callable[[Trace, FxNode, dict[str, Any]], None]] = {
    "conv2d": _convolution,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "relu": _relu,
    "add": _add,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "mean": _mean,
    "flatten": _reshape,
    "view": _reshape,
    "_unsafe_view": _reshape,
    "reshape": _reshape,
    "squeeze": _reshape,
    "dropout": _pass_through,
    "_to_copy": _conversion,
    "to": _conversion,
    "clone": _pass_through,
    "alias": _pass_through,
    "contiguous": _pass_through,
    "detach": _pass_through,
}

_ACTIVATIONS = "gelu silu mish sigmoid tanh elu celu selu softplus hardtanh hardswish leaky_relu prelu relu6"
_ADVICE = (
    ("max_pool", "use average pooling (torch.nn.AvgPool2d) in its place for now"),
    ("softmax", "leave it out: the client applies softmax to the logits itself"),
    *((name, "use torch.nn.ReLU and train again") for name in _ACTIVATIONS.split()),
    ("norm", "use torch.nn.BatchNorm2d, which folds into the convolution before it"),
    ("conv", "use torch.nn.Conv2d with groups=1 and dilation=1"),
    ("matmul", "products of two activations are not supported; use torch.nn.Linear with fixed weights"),
    ("bmm", "products of two activations are not supported; use torch.nn.Linear with fixed weights"),
    ("cat", "use a residual sum (x + y) in its place"),
    ("upsample", "use a network without upsampling"),
    ("sym_size", "export with fixed shapes, without dynamic_shapes"),
)
_GENERAL_ADVICE = (
    "use conv2d, batch_norm, linear, relu, add, avg_pool2d, adaptive_avg_pool2d, mean over height and "
    "width, flatten and dropout only"
)
