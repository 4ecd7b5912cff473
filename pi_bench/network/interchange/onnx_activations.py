"""Calls torch for ONNX's activations, and for arithmetic element by element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import Attributes, Operator, activation, as_tensor
from pi_bench.network.interchange.onnx_windows import flat, planar

_HALF_LIMIT = 65504.0
"""The largest number of float16; files of that precision write it for no bound."""


def _bound(value: Any) -> float | None:
    if isinstance(value, torch.Tensor) or np.size(value) != 1:
        raise ModelError("its bounds must be numbers of the file")
    number = float(np.asarray(value).reshape(()))
    return None if abs(number) > 1e30 or abs(number) == _HALF_LIMIT else number


def _clip(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    def bound(name: str, position: int) -> float | None:
        if name in attributes:
            return _bound(attributes.pop(name))
        given = inputs[position] if len(inputs) > position else None
        return None if given is None else _bound(given)

    x, low, high = activation(inputs[0]), bound("min", 1), bound("max", 2)
    return _clamped(x, low, high)


def _clamped(x: torch.Tensor, low: float | None, high: float | None) -> torch.Tensor:
    if low is None and high is None:
        return x
    if (low, high) == (0.0, None):
        return functional.relu(x)
    return functional.hardtanh(x, 0.0, 6.0) if (low, high) == (0.0, 6.0) else torch.clamp(x, low, high)


def _extreme(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], *, is_max: bool) -> Operator:
    """Makes Max or Min of any number of values; a number of the file is a bound."""

    def run(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
        like = next(value for value in inputs if isinstance(value, torch.Tensor))
        total: torch.Tensor | None = None
        bounds: list[float] = []
        for value in inputs:
            if isinstance(value, np.ndarray) and value.size == 1 and value.ndim <= like.dim():
                bounds.append(float(value.reshape(())))
            else:
                tensor = as_tensor(value, like)
                total = tensor if total is None else function(total, tensor)
        assert total is not None
        for bound in bounds:
            number = _bound(np.float64(bound))
            total = _clamped(total, number, None) if is_max else _clamped(total, None, number)
        return total

    return run


def _prelu(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, slope = activation(inputs[0]), as_tensor(inputs[1], inputs[0])
    of_channels = attributes.pop("by_channel", 0) and slope.dim() == 1
    if slope.numel() != 1 and not of_channels:
        shape = (1,) * (x.dim() - slope.dim()) + tuple(slope.shape)
        if len(shape) != x.dim() or shape != (1, x.shape[1], *(1,) * (x.dim() - 2)):
            needed = (x.shape[1], *(1,) * (x.dim() - 2))
            raise ModelError(
                f"its slope {tuple(slope.shape)} has not one number per channel: ONNX broadcasts from the "
                f"last axis; {needed} is needed for {tuple(x.shape)}"
            )
    x, is_line = planar(x, {})
    return flat(functional.prelu(x, slope.reshape(-1)), is_line)


def _thresholded(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    if attributes.pop("alpha", 1.0) != 0:
        raise ModelError("it jumps at its threshold; use Relu")
    return functional.relu(activation(inputs[0]))


def _binary(function: Callable[[Any, Any], Any]) -> Operator:
    def run(inputs: list[Any], attributes: Attributes) -> Any:
        left, right = inputs
        like = left if isinstance(left, torch.Tensor) else right
        left, right = as_tensor(left, like), as_tensor(right, like)
        axis = attributes.pop("axis", None)
        if axis is not None:  # of opset 6: the first axis of the left operand that the right one has
            right = right.reshape(*right.shape, *(1,) * (left.dim() - axis % left.dim() - right.dim()))
        return function(left, right)

    return run


def _unary(function: Callable[[torch.Tensor], Any]) -> Operator:
    return lambda inputs, attributes: function(activation(inputs[0]))


def _sum(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    like = next(value for value in inputs if isinstance(value, torch.Tensor))
    total = as_tensor(inputs[0], like)
    for value in inputs[1:]:
        total = total + as_tensor(value, like)
    return total


def _where(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    like = next(value for value in inputs if isinstance(value, torch.Tensor))
    condition, yes, no = (as_tensor(value, like) for value in inputs)
    return torch.where(condition, yes, no)


OPERATORS: Mapping[str, Operator] = {
    "Relu": _unary(functional.relu),
    "LeakyRelu": lambda i, a: functional.leaky_relu(activation(i[0]), float(a.pop("alpha", 0.01))),
    "PRelu": _prelu,
    "HardSigmoid": lambda i, a: torch.clamp(
        activation(i[0]) * float(a.pop("alpha", 0.2)) + float(a.pop("beta", 0.5)), 0.0, 1.0
    ),
    "ThresholdedRelu": _thresholded,
    "Clip": _clip,
    "Max": _extreme(torch.maximum, is_max=True),
    "Min": _extreme(torch.minimum, is_max=False),
    "Sum": _sum,
    "Mean": lambda i, a: _sum(i, a) / len(i),
    "Where": _where,
    "Add": _binary(torch.add),
    "Sub": _binary(torch.sub),
    "Mul": _binary(torch.mul),
    "Div": _binary(torch.div),
    "Pow": _binary(torch.pow),
    "Neg": _unary(torch.neg),
    "Greater": _binary(torch.gt),
    "GreaterOrEqual": _binary(torch.ge),
    "Less": _binary(torch.lt),
    "LessOrEqual": _binary(torch.le),
    "Equal": _binary(torch.eq),
    "And": _binary(torch.logical_and),
    "Or": _binary(torch.logical_or),
    "Xor": _binary(torch.logical_xor),
    "Not": _unary(torch.logical_not),
    "Abs": _unary(torch.abs),
    "Sign": _unary(torch.sign),
    "Round": _unary(torch.round),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Sqrt": _unary(torch.sqrt),
    "Exp": _unary(torch.exp),
    "Log": _unary(torch.log),
    "Reciprocal": _unary(torch.reciprocal),
    # Known, so that the refusal names the module and a replacement.
    "Sigmoid": _unary(torch.sigmoid),
    "Tanh": _unary(torch.tanh),
    "Erf": _unary(torch.erf),
    "Softplus": _unary(functional.softplus),
    "HardSwish": _unary(functional.hardswish),
    "Softmax": lambda i, a: torch.softmax(activation(i[0]), int(a.pop("axis", -1))),
    "LogSoftmax": lambda i, a: torch.log_softmax(activation(i[0]), int(a.pop("axis", -1))),
}
