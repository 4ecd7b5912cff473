"""Computes on numpy arrays the arithmetic of shapes that ONNX exporters write into graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import Attributes, Operator, parameter

_DTYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}


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
    attributes.pop("saturate", None)
    dtype = _DTYPES.get(int(attributes.pop("to")))
    if dtype is None:
        raise ModelError("it casts to a dtype that is not supported; use float32")
    return inputs[0].astype(dtype)


def _squeeze(inputs: list[Any], attributes: Attributes) -> Any:
    axes = parameter(inputs, attributes, 1, "axes")
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _divide(inputs: list[Any], attributes: Attributes) -> Any:
    whole = all(value.dtype.kind in "iu" for value in inputs)
    if whole and not np.all(inputs[1]):
        raise ModelError("it divides by zero")
    return np.trunc(inputs[0] / inputs[1]).astype(inputs[0].dtype) if whole else inputs[0] / inputs[1]


OPERATORS: Mapping[str, Operator] = {
    "Add": lambda i, a: i[0] + i[1],
    "Sub": lambda i, a: i[0] - i[1],
    "Mul": lambda i, a: i[0] * i[1],
    "Div": _divide,
    "Equal": lambda i, a: i[0] == i[1],
    "Where": lambda i, a: np.where(i[0], i[1], i[2]),
    "Gather": lambda i, a: np.take(i[0], i[1], int(a.pop("axis", 0))),
    "Concat": lambda i, a: np.concatenate(i, int(a.pop("axis"))),
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": lambda i, a: np.expand_dims(i[0], tuple(parameter(i, a, 1, "axes") or ())),
    "Cast": _cast,
    "Identity": lambda i, a: i[0],
    "Floor": lambda i, a: np.floor(i[0]),
    "Ceil": lambda i, a: np.ceil(i[0]),
    "ReduceProd": lambda i, a: np.prod(i[0], keepdims=bool(a.pop("keepdims", 1))),
}
