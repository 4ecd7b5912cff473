"""Calls torch for ONNX operators, with their inputs and attributes.

Unknown attributes of an operator are refused, so that a later opset cannot silently change its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange import onnx_layers, onnx_movement, onnx_shapes
from pi_bench.network.interchange.onnx_operands import Attributes, Operator, activation, as_tensor

_MAX_STATIC = 1 << 16


def apply(operator: str, attributes: Mapping[str, Any], inputs: list[Any]) -> Any:
    """Applies one operator to its inputs.

    Raises:
        ModelError: an attribute or an operand that is not supported.

    >>> apply("Relu", {}, [torch.tensor([-1.0, 2.0])]).tolist()
    [0.0, 2.0]
    >>> apply("Relu", {"fast": 1}, [torch.tensor([-1.0, 2.0])])
    Traceback (most recent call last):
    pi_bench.errors.ModelError: its attribute 'fast' is not supported
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


def _binary(function: Callable[[Any, Any], Any]) -> Operator:
    def run(inputs: list[Any], attributes: Attributes) -> Any:
        left, right = inputs
        like = left if isinstance(left, torch.Tensor) else right
        return function(as_tensor(left, like), as_tensor(right, like))

    return run


def _unary(function: Callable[[torch.Tensor], Any]) -> Operator:
    return lambda inputs, attributes: function(activation(inputs[0]))


OPERATORS: Mapping[str, Operator] = {
    **onnx_layers.OPERATORS,
    **onnx_movement.OPERATORS,
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
    "Not": _unary(torch.logical_not),
    "Abs": _unary(torch.abs),
    "Sign": _unary(torch.sign),
    "Round": _unary(torch.round),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Sqrt": _unary(torch.sqrt),
    "Exp": _unary(torch.exp),
    "Reciprocal": _unary(torch.reciprocal),
    # Known, so that the refusal names the module and what to use.
    "Sigmoid": _unary(torch.sigmoid),
    "Tanh": _unary(torch.tanh),
    "Erf": _unary(torch.erf),
    "HardSwish": _unary(functional.hardswish),
    "Softmax": lambda i, a: torch.softmax(activation(i[0]), int(a.pop("axis", -1))),
}

STATIC = onnx_shapes.OPERATORS
