"""Computes on numpy arrays the arithmetic of shapes that ONNX exporters write into graphs.

The size of each result is bounded before it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import Attributes, Operator, integers, parameter

MAX_ELEMENTS = 1 << 16
_DTYPES = {
    1: np.float32,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float32,
    11: np.float32,
    16: np.float32,
}


def _require_small(count: float) -> None:
    if count > MAX_ELEMENTS:
        raise ModelError(f"it makes a constant of {count:.0f} elements; store it as an initializer")


def _elementwise(function: Callable[..., Any]) -> Operator:
    def run(inputs: list[Any], attributes: Attributes) -> Any:
        _require_small(math.prod(np.broadcast_shapes(*(value.shape for value in inputs))))
        with np.errstate(all="ignore"):
            return function(*inputs)

    return run


def _slice(inputs: list[Any], attributes: Attributes) -> Any:
    starts, ends = parameter(inputs, attributes, 1, "starts"), parameter(inputs, attributes, 2, "ends")
    axes, steps = parameter(inputs, attributes, 3, "axes"), parameter(inputs, attributes, 4, "steps")
    assert starts is not None and ends is not None
    value = inputs[0]
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = at if axes is None else axes[at]
        part = slice(start, end, None if steps is None else steps[at])
        value = value[(slice(None),) * (axis % value.ndim) + (part,)]
    return value


def _cast(inputs: list[Any], attributes: Attributes) -> Any:
    for name in ("saturate", "round_mode"):
        attributes.pop(name, None)
    dtype = _DTYPES.get(int(attributes.pop("to")))
    if dtype is None:
        raise ModelError("it casts to a dtype that is not supported; use float32")
    with np.errstate(all="ignore"):
        return inputs[0].astype(dtype)


def _squeeze(inputs: list[Any], attributes: Attributes) -> Any:
    axes = parameter(inputs, attributes, 1, "axes")
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _divide(left: np.ndarray, right: np.ndarray) -> Any:
    whole = all(value.dtype.kind in "iu" for value in (left, right))
    if whole and not np.all(right):
        raise ModelError("it divides by zero")
    return np.trunc(left / right).astype(left.dtype) if whole else left / right


def _gather(inputs: list[Any], attributes: Attributes) -> Any:
    value, index = inputs
    axis = int(attributes.pop("axis", 0))
    _require_small(value.size / max(value.shape[axis], 1) * index.size)
    return np.take(value, index, axis)


def _concat(inputs: list[Any], attributes: Attributes) -> Any:
    _require_small(sum(value.size for value in inputs))
    return np.concatenate(inputs, int(attributes.pop("axis")))


def _reshape(inputs: list[Any], attributes: Attributes) -> Any:
    sizes = parameter(inputs, attributes, 1, "shape") or []
    if not attributes.pop("allowzero", 0):
        sizes = [inputs[0].shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return inputs[0].reshape(sizes)


def _filled(inputs: list[Any], attributes: Attributes) -> Any:
    sizes = integers(inputs[0], "shape")
    if min(sizes, default=0) < 0:
        raise ModelError(f"its shape is {sizes}")
    _require_small(math.prod(sizes))
    value = attributes.pop("value", None)
    return np.full(sizes, np.float32(0) if value is None else np.asarray(value).reshape(()))


def _range(inputs: list[Any], attributes: Attributes) -> Any:
    start, limit, step = (value.reshape(()).item() for value in inputs)
    if not step:
        raise ModelError("its step is 0")
    _require_small(abs((limit - start) / step))
    return np.arange(start, limit, step).astype(inputs[0].dtype)


def _expand(inputs: list[Any], attributes: Attributes) -> Any:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(integers(inputs[1], "shape")))
    _require_small(math.prod(shape))
    return np.broadcast_to(inputs[0], shape)


def _tile(inputs: list[Any], attributes: Attributes) -> Any:
    counts = integers(inputs[1], "repeats")
    _require_small(inputs[0].size * math.prod(max(count, 0) for count in counts))
    return np.tile(inputs[0], counts)


def _reduced(function: Callable[..., Any]) -> Operator:
    def run(inputs: list[Any], attributes: Attributes) -> Any:
        axes = parameter(inputs, attributes, 1, "axes")
        keep = bool(attributes.pop("keepdims", 1))
        if attributes.pop("noop_with_empty_axes", 0) and not axes:
            return inputs[0]
        return function(inputs[0], axis=tuple(axes) if axes else None, keepdims=keep)

    return run


def _transpose(inputs: list[Any], attributes: Attributes) -> Any:
    return np.transpose(inputs[0], attributes.pop("perm", None))


OPERATORS: Mapping[str, Operator] = {
    "Add": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Div": _elementwise(_divide),
    "Min": _elementwise(lambda *values: np.minimum.reduce(np.broadcast_arrays(*values))),
    "Max": _elementwise(lambda *values: np.maximum.reduce(np.broadcast_arrays(*values))),
    "Equal": _elementwise(np.equal),
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "And": _elementwise(np.logical_and),
    "Or": _elementwise(np.logical_or),
    "Where": _elementwise(np.where),
    "Not": _elementwise(np.logical_not),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Sqrt": _elementwise(np.sqrt),
    "Reciprocal": _elementwise(np.reciprocal),
    "Floor": _elementwise(np.floor),
    "Ceil": _elementwise(np.ceil),
    "Gather": _gather,
    "Concat": _concat,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": lambda i, a: np.expand_dims(i[0], tuple(parameter(i, a, 1, "axes") or ())),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Cast": _cast,
    "Identity": lambda i, a: i[0],
    "Shape": lambda i, a: np.array(i[0].shape[int(a.pop("start", 0)) : a.pop("end", None)], np.int64),
    "Size": lambda i, a: np.array(i[0].size, np.int64),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
}
