"""Calls torch for ONNX operators that take tensors apart, reorder them and put them together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import (
    Attributes,
    Operator,
    activation,
    as_tensor,
    integers,
    parameter,
)

_FLOATS = (1, 10, 11, 16)
_DTYPES = {6: torch.int32, 7: torch.int64, 9: torch.bool}
_MAX_COPIES = 1024


def _reshape(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = activation(inputs[0])
    sizes = parameter(inputs, attributes, 1, "shape") or []
    if attributes.pop("allowzero", 0) and 0 in sizes:
        raise ModelError("an empty tensor is not supported")
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)])


def _flatten(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axis = activation(inputs[0]), int(attributes.pop("axis", 1))
    axis = axis + x.dim() if axis < 0 else axis
    return torch.flatten(x, 1) if axis == 1 < x.dim() else x.reshape(math.prod(x.shape[:axis]), -1)


def _squeeze(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = activation(inputs[0]), parameter(inputs, attributes, 1, "axes")
    if axes is not None and any(x.shape[axis] != 1 for axis in axes):
        raise ModelError(f"it takes the axes {axes} of {tuple(x.shape)} away, which are not all of size 1")
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = activation(inputs[0]), parameter(inputs, attributes, 1, "axes") or []
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _transpose(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = activation(inputs[0])
    return x.permute([int(axis) for axis in attributes.pop("perm", reversed(range(x.dim())))])


def _split(inputs: list[Any], attributes: Attributes) -> Any:
    x, sizes = activation(inputs[0]), parameter(inputs, attributes, 1, "split")
    axis, count = int(attributes.pop("axis", 0)), int(attributes.pop("num_outputs"))
    return torch.split(x, -(-x.shape[axis] // count) if sizes is None else sizes, axis)


def _slice(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = activation(inputs[0])
    starts, ends = parameter(inputs, attributes, 1, "starts"), parameter(inputs, attributes, 2, "ends")
    assert starts is not None and ends is not None
    axes = parameter(inputs, attributes, 3, "axes") or list(range(len(starts)))
    steps = parameter(inputs, attributes, 4, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        x = chosen(x, axis % x.dim(), range(*slice(start, end, step).indices(x.shape[axis])))
    return x


def chosen(x: torch.Tensor, axis: int, positions: Sequence[int]) -> torch.Tensor:
    """Chooses `positions` of one axis, by a slice where they are evenly spaced.

    >>> chosen(torch.arange(5), 0, [3, 1]).tolist(), chosen(torch.arange(5), 0, [0, 0, 4]).tolist()
    ([3, 1], [0, 0, 4])
    """
    if not positions:
        raise ModelError("it takes nothing of its operand")
    if list(positions) == list(range(x.shape[axis])):
        return x
    step = positions[1] - positions[0] if len(positions) > 1 else 1
    if step and list(positions) == list(range(positions[0], positions[-1] + (1 if step > 0 else -1), step)):
        first, last = min(positions[0], positions[-1]), max(positions[0], positions[-1])
        part = x[(slice(None),) * axis + (slice(first, last + 1, abs(step)),)]
        return part if step > 0 else part.flip([axis])
    return x.index_select(axis, torch.as_tensor(list(positions), device=x.device))


def _gather(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, index = activation(inputs[0]), inputs[1]
    if not isinstance(index, np.ndarray):
        raise ModelError("its positions must be at most 1024 constants of the file")
    axis = int(attributes.pop("axis", 0)) % x.dim()
    size = x.shape[axis]
    positions = [int(at) + size if at < 0 else int(at) for at in index.reshape(-1)]
    if not all(0 <= at < size for at in positions):
        raise ModelError(f"it takes positions outside of axis {axis} of {tuple(x.shape)}")
    if index.ndim == 0:
        return x.select(axis, positions[0])
    part = chosen(x, axis, positions)
    return part if index.ndim == 1 else part.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _tile(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, counts = activation(inputs[0]), integers(inputs[1], "repeats")
    for axis, count in enumerate(counts):
        x = _repeated(x, axis, count)
    return x


def _expand(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, sizes = activation(inputs[0]), integers(inputs[1], "shape")
    x = x.reshape((1,) * (len(sizes) - x.dim()) + tuple(x.shape))
    for axis, count in enumerate(sizes, x.dim() - len(sizes)):
        if count != 1 and x.shape[axis] == 1:
            x = _repeated(x, axis, count)
        elif count not in (1, x.shape[axis]):
            raise ModelError(f"it broadcasts {tuple(x.shape)} to {sizes}, which does not fit")
    return x


def _repeated(x: torch.Tensor, axis: int, count: int) -> torch.Tensor:
    if not 1 <= count <= _MAX_COPIES:
        raise ModelError(f"it makes {count} copies of its operand; 1 to {_MAX_COPIES} are possible")
    return x if count == 1 else torch.cat([x] * count, axis)


def _cast(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    """Converts to a dtype; all floats are computed as float32."""
    for name in ("saturate", "round_mode"):
        attributes.pop(name, None)
    code = int(attributes.pop("to"))
    dtype = torch.float32 if code in _FLOATS else _DTYPES.get(code)
    if dtype is None:
        raise ModelError("it casts to a dtype that is not supported; use float32")
    return activation(inputs[0]).to(dtype)


def _dropout(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    attributes.pop("ratio", None)
    attributes.pop("seed", None)
    if len(inputs) > 2 and inputs[2] is not None and np.any(inputs[2]):
        raise ModelError("dropout of training is not supported: export in evaluation")
    return activation(inputs[0])


def _concat(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    like = next(value for value in inputs if isinstance(value, torch.Tensor))
    return torch.cat([as_tensor(value, like) for value in inputs], int(attributes.pop("axis")))


def _shape(inputs: list[Any], attributes: Attributes) -> np.ndarray:
    sizes = activation(inputs[0]).shape[int(attributes.pop("start", 0)) : attributes.pop("end", None)]
    return np.array(sizes, np.int64)


OPERATORS: Mapping[str, Operator] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Tile": _tile,
    "Expand": _expand,
    "Cast": _cast,
    "CastLike": lambda i, a: activation(i[0]),
    "Dropout": _dropout,
    "Identity": lambda i, a: i[0],
    "Shape": _shape,
    "Size": lambda i, a: np.array(activation(i[0]).numel(), np.int64),
}
