"""ONNX operators as calls of torch: from their inputs and attributes to what a trace sees.

An operand is a torch tensor or, where ONNX computes shapes in the graph, a numpy array. Attributes that an
operator does not know are refused, so that a later opset cannot mean something else unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pi_bench.errors import ModelError

Attributes = dict[str, Any]
Operator = Callable[[list[Any], Attributes], Any]

_MAX_STATIC = 1 << 16
_TORCH_DTYPES = {
    1: torch.float32,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}
_STATIC_DTYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}


def apply(operator: str, attributes: Mapping[str, Any], inputs: list[Any]) -> Any:
    """The results of one operator.

    Raises:
        ModelError: an attribute or an operand that is not supported.
    """
    remaining = dict(attributes)
    known = [value for value in inputs if value is not None]
    if known and all(isinstance(value, np.ndarray) for value in known) and operator in STATIC:
        result = np.asarray(STATIC[operator](inputs, remaining))
        if result.size > _MAX_STATIC:
            raise ModelError(f"it makes a constant of {result.size} elements; store it as an initializer")
    else:
        result = OPERATORS[operator](inputs, remaining)
    if remaining:
        raise ModelError(f"its attribute {next(iter(remaining))!r} is not supported")
    return result


def tensor(value: Any, like: torch.Tensor) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value, device=like.device)


def _activation(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise ModelError("its operand is a constant")
    return value


def _ints(value: Any, what: str) -> list[int]:
    if not isinstance(value, np.ndarray):
        raise ModelError(f"its {what} must be constants of the file")
    return [int(item) for item in value.reshape(-1)]


def _parameter(inputs: list[Any], attributes: Attributes, position: int, name: str) -> list[int] | None:
    """Integers that older opsets have as an attribute and newer ones as an input."""
    if name in attributes:
        return [int(item) for item in attributes.pop(name)]
    if len(inputs) > position and inputs[position] is not None:
        return _ints(inputs[position], name)
    return None


def _binary(function: Callable[[Any, Any], Any]) -> Operator:
    def run(inputs: list[Any], attributes: Attributes) -> Any:
        left, right = inputs
        like = left if isinstance(left, torch.Tensor) else right
        return function(tensor(left, like), tensor(right, like))

    return run


def _unary(function: Callable[[torch.Tensor], Any]) -> Operator:
    return lambda inputs, attributes: function(_activation(inputs[0]))


def _spatial(x: torch.Tensor, kernel: list[int], attributes: Attributes) -> tuple[list[int], list[int]]:
    """(pads of the begin and the end by axis as ONNX lists them, strides)."""
    if x.dim() != 4 or len(kernel) != 2:
        raise ModelError("only two-dimensional convolution and pooling are supported")
    strides = [int(step) for step in attributes.pop("strides", [1, 1])]
    dilations = [int(step) for step in attributes.get("dilations", [1, 1])]
    pads = [int(pad) for pad in attributes.pop("pads", [0, 0, 0, 0])]
    automatic = attributes.pop("auto_pad", "NOTSET")
    if automatic.startswith("SAME"):
        total = [
            max((-(-size // step) - 1) * step + (window - 1) * spread + 1 - size, 0)
            for size, step, window, spread in zip(x.shape[2:], strides, kernel, dilations, strict=True)
        ]
        small, large = [pad // 2 for pad in total], [pad - pad // 2 for pad in total]
        pads = [*small, *large] if automatic == "SAME_UPPER" else [*large, *small]
    elif automatic == "VALID":
        pads = [0, 0, 0, 0]
    if min(pads) < 0:
        raise ModelError("negative pads are not supported")
    return pads, strides


def _padded(x: torch.Tensor, pads: list[int], value: float = 0.0) -> tuple[torch.Tensor, list[int]]:
    """(x, padding that is left to the operator): what is not symmetric is padded apart."""
    if pads[:2] == pads[2:]:
        return x, pads[:2]
    return functional.pad(x, (pads[1], pads[3], pads[0], pads[2]), value=value), [0, 0]


def _conv(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight = _activation(inputs[0]), tensor(inputs[1], inputs[0])
    kernel = list(weight.shape[2:])
    if [int(size) for size in attributes.pop("kernel_shape", kernel)] != kernel:
        raise ModelError(f"its kernel_shape is not that of its weights {tuple(weight.shape)}")
    pads, strides = _spatial(x, kernel, attributes)
    x, padding = _padded(x, pads)
    dilations = [int(step) for step in attributes.pop("dilations", [1, 1])]
    bias = tensor(inputs[2], x) if len(inputs) > 2 and inputs[2] is not None else None
    return functional.conv2d(x, weight, bias, strides, padding, dilations, int(attributes.pop("group", 1)))


def _max_pool(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, kernel = _activation(inputs[0]), [int(size) for size in attributes.pop("kernel_shape")]
    attributes.pop("storage_order", None)
    pads, strides = _spatial(x, kernel, attributes)
    x, padding = _padded(x, pads, -torch.inf)
    dilations = [int(step) for step in attributes.pop("dilations", [1, 1])]
    ceil = bool(attributes.pop("ceil_mode", 0))
    return functional.max_pool2d(x, kernel, strides, padding, dilations, ceil)


def _average_pool(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, kernel = _activation(inputs[0]), [int(size) for size in attributes.pop("kernel_shape")]
    pads, strides = _spatial(x, kernel, attributes)
    counted = bool(attributes.pop("count_include_pad", 0))
    if [int(step) for step in attributes.pop("dilations", [1, 1])] != [1, 1]:
        raise ModelError("average pooling with dilations is not supported")
    if pads[:2] != pads[2:] and not counted:
        raise ModelError("average pooling with pads that are not symmetric needs count_include_pad=1")
    x, padding = _padded(x, pads)
    ceil = bool(attributes.pop("ceil_mode", 0))
    return functional.avg_pool2d(x, kernel, strides, padding, ceil, counted)


def _batch_norm(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = _activation(inputs[0])
    attributes.pop("momentum", None)
    if attributes.pop("training_mode", 0) or attributes.pop("spatial", 1) != 1:
        raise ModelError(
            "batch normalization of training (or by pixel) is not supported: export in evaluation"
        )
    scale, bias, mean, variance = (tensor(value, x).reshape(-1) for value in inputs[1:5])
    epsilon = float(attributes.pop("epsilon", 1e-5))
    return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)


def _gemm(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight = _activation(inputs[0]), tensor(inputs[1], inputs[0])
    if attributes.pop("transA", 0):
        raise ModelError("transA is not supported: the rows of its first operand are samples")
    weight = weight if attributes.pop("transB", 0) else weight.t()
    alpha, beta = float(attributes.pop("alpha", 1.0)), float(attributes.pop("beta", 1.0))
    bias = tensor(inputs[2], x) if len(inputs) > 2 and inputs[2] is not None else None
    if bias is not None:
        bias = (bias if beta == 1 else bias * beta).reshape(-1).expand(weight.shape[0])
    return functional.linear(x, weight if alpha == 1 else weight * alpha, bias)


def _matmul(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight = inputs
    if not isinstance(x, torch.Tensor) or tensor(weight, x).dim() != 2:
        raise ModelError("only the product of an activation (samples, features) and a matrix is supported")
    return functional.linear(x, tensor(weight, x).t())


def _clip(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    def bound(name: str, position: int) -> float | None:
        if name in attributes:
            value = float(attributes.pop(name))
        elif len(inputs) > position and inputs[position] is not None:
            value = float(np.asarray(inputs[position]).reshape(()))
        else:
            return None
        return None if abs(value) > 1e30 else value

    x, low, high = _activation(inputs[0]), bound("min", 1), bound("max", 2)
    if (low, high) == (0.0, None):
        return functional.relu(x)
    return functional.hardtanh(x, 0.0, 6.0) if (low, high) == (0.0, 6.0) else torch.clamp(x, low, high)


def _prelu(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, slope = _activation(inputs[0]), tensor(inputs[1], inputs[0])
    if slope.numel() != 1 and (slope.dim() < x.dim() - 1 or slope.numel() != x.shape[1]):
        raise ModelError("its slope is not one number a channel")
    return functional.prelu(x, slope.reshape(-1))


def _reduce_mean(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = _activation(inputs[0]), _parameter(inputs, attributes, 1, "axes")
    keep = bool(attributes.pop("keepdims", 1))
    if axes is None and attributes.pop("noop_with_empty_axes", 0):
        return x
    attributes.pop("noop_with_empty_axes", None)
    return x.mean(axes if axes is not None else list(range(x.dim())), keepdim=keep)


def _reshape(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, sizes = _activation(inputs[0]), _ints(inputs[1], "shape")
    if attributes.pop("allowzero", 0) and 0 in sizes:
        raise ModelError("an empty tensor is not supported")
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)])


def _flatten(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = _activation(inputs[0])
    if int(attributes.pop("axis", 1)) % max(x.dim(), 1) != 1:
        raise ModelError("only axis=1 is supported: to (samples, features)")
    return torch.flatten(x, 1)


def _squeeze(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = _activation(inputs[0]), _parameter(inputs, attributes, 1, "axes")
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = _activation(inputs[0]), _parameter(inputs, attributes, 1, "axes") or []
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _split(inputs: list[Any], attributes: Attributes) -> Any:
    x, sizes = _activation(inputs[0]), _parameter(inputs, attributes, 1, "split")
    axis, count = int(attributes.pop("axis", 0)), attributes.pop("num_outputs", None)
    if sizes is None:
        if count is None:
            raise ModelError("give the sizes of its parts")
        return torch.split(x, -(-x.shape[axis] // int(count)), axis)
    return torch.split(x, sizes, axis)


def _slice(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = _activation(inputs[0])
    starts, ends = _parameter(inputs, attributes, 1, "starts"), _parameter(inputs, attributes, 2, "ends")
    assert starts is not None and ends is not None
    axes = _parameter(inputs, attributes, 3, "axes") or list(range(len(starts)))
    steps = _parameter(inputs, attributes, 4, "steps") or [1] * len(starts)
    if min(steps) < 1:
        raise ModelError("steps below 1 are not supported")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]
        begin, stop = (max(0, min(at + size if at < 0 else at, size)) for at in (start, end))
        x = x[(slice(None),) * (axis % x.dim()) + (slice(begin, stop, step),)]
    return x


def _pad(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, pads = _activation(inputs[0]), _parameter(inputs, attributes, 1, "pads")
    if attributes.pop("mode", "constant") != "constant":
        raise ModelError("only padding with zeros is supported")
    value = attributes.pop("value", None)
    if value is None and len(inputs) > 2 and inputs[2] is not None:
        value = np.asarray(inputs[2]).reshape(())
    axes = _ints(inputs[3], "axes") if len(inputs) > 3 and inputs[3] is not None else list(range(x.dim()))
    assert pads is not None
    by_axis = {axis % x.dim(): (pads[at], pads[at + len(axes)]) for at, axis in enumerate(axes)}
    reverse = [pad for axis in reversed(range(x.dim())) for pad in by_axis.get(axis, (0, 0))]
    while reverse[-2:] == [0, 0]:
        del reverse[-2:]
    return functional.pad(x, reverse, value=float(value or 0.0)) if reverse else x


def _cast(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    attributes.pop("saturate", None)
    dtype = _TORCH_DTYPES.get(int(attributes.pop("to")))
    if dtype is None:
        raise ModelError("it casts to a dtype that is not supported; use float32")
    return _activation(inputs[0]).to(dtype)


def _dropout(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    attributes.pop("ratio", None)
    attributes.pop("seed", None)
    if len(inputs) > 2 and inputs[2] is not None and np.any(inputs[2]):
        raise ModelError("dropout of training is not supported: export in evaluation")
    return _activation(inputs[0])


def _where(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    like = next(value for value in inputs if isinstance(value, torch.Tensor))
    condition, yes, no = (tensor(value, like) for value in inputs)
    return torch.where(condition, yes, no)


def _sum(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    total = _activation(inputs[0])
    for value in inputs[1:]:
        total = total + tensor(value, total)
    return total


def _concat(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    like = next(value for value in inputs if isinstance(value, torch.Tensor))
    return torch.cat([tensor(value, like) for value in inputs], int(attributes.pop("axis")))


OPERATORS: dict[str, Operator] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _unary(lambda x: functional.adaptive_avg_pool2d(x, 1)),
    "GlobalMaxPool": _unary(lambda x: functional.adaptive_max_pool2d(x, 1)),
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Relu": _unary(functional.relu),
    "LeakyRelu": lambda i, a: functional.leaky_relu(_activation(i[0]), float(a.pop("alpha", 0.01))),
    "PRelu": _prelu,
    "Clip": _clip,
    "Add": _binary(torch.add),
    "Sub": _binary(torch.sub),
    "Mul": _binary(torch.mul),
    "Div": _binary(torch.div),
    "Pow": _binary(torch.pow),
    "Sum": _sum,
    "Neg": _unary(torch.neg),
    "Where": _where,
    "Greater": _binary(torch.gt),
    "GreaterOrEqual": _binary(torch.ge),
    "Less": _binary(torch.lt),
    "LessOrEqual": _binary(torch.le),
    "Equal": _binary(torch.eq),
    "And": _binary(torch.logical_and),
    "Or": _binary(torch.logical_or),
    "Not": _unary(torch.logical_not),
    "Abs": _unary(torch.abs),
    "Sign": _unary(torch.sign),
    "Round": _unary(torch.round),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Sqrt": _unary(torch.sqrt),
    "Exp": _unary(torch.exp),
    "Reciprocal": _unary(torch.reciprocal),
    "ReduceMean": _reduce_mean,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda i, a: _activation(i[0]).permute([int(axis) for axis in a.pop("perm")]),
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    "Expand": lambda i, a: _activation(i[0]).expand(_ints(i[1], "shape")),
    "Cast": _cast,
    "Dropout": _dropout,
    "Identity": lambda i, a: i[0],
    "Shape": lambda i, a: np.array(
        _activation(i[0]).shape[int(a.pop("start", 0)) : a.pop("end", None)], np.int64
    ),
    # Known, so that the refusal names the module and what to use.
    "Sigmoid": _unary(torch.sigmoid),
    "Tanh": _unary(torch.tanh),
    "Erf": _unary(torch.erf),
    "HardSwish": _unary(functional.hardswish),
    "Softmax": lambda i, a: torch.softmax(_activation(i[0]), int(a.pop("axis", -1))),
}
"""By operator type; each takes its attributes out of the mapping that it is given."""


def _static_slice(inputs: list[Any], attributes: Attributes) -> Any:
    starts, ends = _parameter(inputs, attributes, 1, "starts"), _parameter(inputs, attributes, 2, "ends")
    axes, steps = _parameter(inputs, attributes, 3, "axes"), _parameter(inputs, attributes, 4, "steps")
    assert starts is not None and ends is not None
    value = inputs[0]
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = at if axes is None else axes[at]
        part = slice(start, end, None if steps is None else steps[at])
        value = value[(slice(None),) * (axis % value.ndim) + (part,)]
    return value


def _static_cast(inputs: list[Any], attributes: Attributes) -> Any:
    attributes.pop("saturate", None)
    dtype = _STATIC_DTYPES.get(int(attributes.pop("to")))
    if dtype is None:
        raise ModelError("it casts to a dtype that is not supported; use float32")
    return inputs[0].astype(dtype)


def _static_squeeze(inputs: list[Any], attributes: Attributes) -> Any:
    axes = _parameter(inputs, attributes, 1, "axes")
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _static_divide(inputs: list[Any], attributes: Attributes) -> Any:
    whole = all(value.dtype.kind in "iu" for value in inputs)
    if whole and not np.all(inputs[1]):
        raise ModelError("it divides by zero")
    return np.trunc(inputs[0] / inputs[1]).astype(inputs[0].dtype) if whole else inputs[0] / inputs[1]


STATIC: dict[str, Operator] = {
    "Add": lambda i, a: i[0] + i[1],
    "Sub": lambda i, a: i[0] - i[1],
    "Mul": lambda i, a: i[0] * i[1],
    "Div": _static_divide,
    "Equal": lambda i, a: i[0] == i[1],
    "Where": lambda i, a: np.where(i[0], i[1], i[2]),
    "Gather": lambda i, a: np.take(i[0], i[1], int(a.pop("axis", 0))),
    "Concat": lambda i, a: np.concatenate(i, int(a.pop("axis"))),
    "Slice": _static_slice,
    "Squeeze": _static_squeeze,
    "Unsqueeze": lambda i, a: np.expand_dims(i[0], tuple(_parameter(i, a, 1, "axes") or ())),
    "Cast": _static_cast,
    "Identity": lambda i, a: i[0],
    "Floor": lambda i, a: np.floor(i[0]),
    "Ceil": lambda i, a: np.ceil(i[0]),
    "ReduceProd": lambda i, a: np.prod(i[0], keepdims=bool(a.pop("keepdims", 1))),
}
"""The arithmetic of shapes, on numpy arrays."""
