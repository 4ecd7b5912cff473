"""Calls torch for ONNX operators that take tensors apart and put them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import (
    Attributes,
    Operator,
    activation,
    as_tensor,
    integers,
    parameter,
)

_DTYPES = {
    1: torch.float32,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}


def _reshape(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, sizes = activation(inputs[0]), integers(inputs[1], "shape")
    if attributes.pop("allowzero", 0) and 0 in sizes:
        raise ModelError("an empty tensor is not supported")
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)])


def _flatten(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = activation(inputs[0])
    if int(attributes.pop("axis", 1)) % max(x.dim(), 1) != 1:
        raise ModelError("only axis=1 is supported: to (samples, features)")
    return torch.flatten(x, 1)


def _squeeze(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = activation(inputs[0]), parameter(inputs, attributes, 1, "axes")
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = activation(inputs[0]), parameter(inputs, attributes, 1, "axes") or []
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _split(inputs: list[Any], attributes: Attributes) -> Any:
    x, sizes = activation(inputs[0]), parameter(inputs, attributes, 1, "split")
    axis, count = int(attributes.pop("axis", 0)), attributes.pop("num_outputs", None)
    if sizes is None:
        if count is None:
            raise ModelError("give the sizes of its parts")
        return torch.split(x, -(-x.shape[axis] // int(count)), axis)
    return torch.split(x, sizes, axis)


def _slice(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = activation(inputs[0])
    starts, ends = parameter(inputs, attributes, 1, "starts"), parameter(inputs, attributes, 2, "ends")
    assert starts is not None and ends is not None
    axes = parameter(inputs, attributes, 3, "axes") or list(range(len(starts)))
    steps = parameter(inputs, attributes, 4, "steps") or [1] * len(starts)
    if min(steps) < 1:
        raise ModelError("steps below 1 are not supported")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]
        begin, stop = (max(0, min(at + size if at < 0 else at, size)) for at in (start, end))
        x = x[(slice(None),) * (axis % x.dim()) + (slice(begin, stop, step),)]
    return x


def _pad(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, pads = activation(inputs[0]), parameter(inputs, attributes, 1, "pads")
    if attributes.pop("mode", "constant") != "constant":
        raise ModelError("only padding with zeros is supported")
    value = attributes.pop("value", None)
    if value is None and len(inputs) > 2 and inputs[2] is not None:
        value = np.asarray(inputs[2]).reshape(())
    axes = integers(inputs[3], "axes") if len(inputs) > 3 and inputs[3] is not None else list(range(x.dim()))
    assert pads is not None
    by_axis = {axis % x.dim(): (pads[at], pads[at + len(axes)]) for at, axis in enumerate(axes)}
    reverse = [pad for axis in reversed(range(x.dim())) for pad in by_axis.get(axis, (0, 0))]
    while reverse[-2:] == [0, 0]:
        del reverse[-2:]
    return functional.pad(x, reverse, value=float(value or 0.0)) if reverse else x


def _cast(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    attributes.pop("saturate", None)
    dtype = _DTYPES.get(int(attributes.pop("to")))
    if dtype is None:
        raise ModelError("it casts to a dtype that is not supported; use float32")
    return activation(inputs[0]).to(dtype)


def _dropout(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    attributes.pop("ratio", None)
    attributes.pop("seed", None)
    if len(inputs) > 2 and inputs[2] is not None and np.any(inputs[2]):
        raise ModelError("dropout of training is not supported: export in evaluation")
    return activation(inputs[0])


def _where(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    like = next(value for value in inputs if isinstance(value, torch.Tensor))
    condition, yes, no = (as_tensor(value, like) for value in inputs)
    return torch.where(condition, yes, no)


def _sum(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    total = activation(inputs[0])
    for value in inputs[1:]:
        total = total + as_tensor(value, total)
    return total


def _concat(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    like = next(value for value in inputs if isinstance(value, torch.Tensor))
    return torch.cat([as_tensor(value, like) for value in inputs], int(attributes.pop("axis")))


OPERATORS: Mapping[str, Operator] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda i, a: activation(i[0]).permute([int(axis) for axis in a.pop("perm")]),
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    "Expand": lambda i, a: activation(i[0]).expand(integers(i[1], "shape")),
    "Cast": _cast,
    "Dropout": _dropout,
    "Identity": lambda i, a: i[0],
    "Sum": _sum,
    "Where": _where,
    "Shape": lambda i, a: np.array(
        activation(i[0]).shape[int(a.pop("start", 0)) : a.pop("end", None)], np.int64
    ),
}
