"""Calls torch for ONNX operators, with their inputs and attributes.

Unknown attributes of an operator are refused, so that a later opset cannot silently change its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pi_bench.errors import ModelError
from pi_bench.network.interchange import (
    onnx_activations,
    onnx_layers,
    onnx_movement,
    onnx_pools,
    onnx_resampling,
    onnx_shapes,
)
from pi_bench.network.interchange.onnx_operands import Operator
from pi_bench.network.lowering.advice import advice

_CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
_QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
)

_REASONS = {
    "LRN": "it divides by squares of activations; train with BatchNormalization in its place",
    "LpPool": "it takes roots of activations; use AveragePool",
    "GlobalLpPool": "it takes roots of activations; use GlobalAveragePool",
    "InstanceNormalization": "its statistics are those of each input; use BatchNormalization",
    "GroupNormalization": "its statistics are those of each input; use BatchNormalization",
    "LayerNormalization": "its statistics are those of each input; use BatchNormalization",
}

OPERATORS: Mapping[str, Operator] = {
    **onnx_layers.OPERATORS,
    **onnx_activations.OPERATORS,
    **onnx_pools.OPERATORS,
    **onnx_movement.OPERATORS,
    **onnx_resampling.OPERATORS,
}
"""Operators of values that depend on the network's input, or on large constants."""

STATIC = onnx_shapes.OPERATORS
"""Operators of small constants alone."""


def require_known(place: str, operator: str) -> None:
    """Checks that a node's operator is one that can be applied.

    Raises:
        ModelError: it is not; the message begins with `place` and names a replacement.

    >>> require_known("operator If", "If")
    Traceback (most recent call last):
    pi_bench.errors.ModelError: operator If is control flow: export a network without it
    """
    if operator in _CONTROL_FLOW:
        raise ModelError(f"{place} is control flow: export a network without it")
    if operator in _QUANTIZED or operator == "DynamicQuantizeLinear":
        raise ModelError(f"{place} is of a quantized file: export the float network, before quantization")
    if operator in _REASONS:
        raise ModelError(f"{place} cannot be lowered: {_REASONS[operator]}")
    if operator != "Constant" and operator not in OPERATORS and operator not in STATIC:
        raise ModelError(f"{place} cannot be lowered: {advice(operator.lower())}")


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
    is_static = all(isinstance(value, np.ndarray) for value in known)
    if known and is_static and operator in STATIC:
        result = np.asarray(STATIC[operator](inputs, remaining))
        if result.size > onnx_shapes.MAX_ELEMENTS:
            raise ModelError(f"it makes a constant of {result.size} elements; store it as an initializer")
    elif operator in OPERATORS and known:
        if is_static:
            inputs = [None if value is None else torch.as_tensor(value) for value in inputs[:1]] + inputs[1:]
        result = OPERATORS[operator](inputs, remaining)
    else:
        raise ModelError("its operands must be constants of the file")
    if remaining:
        raise ModelError(f"its attribute {next(iter(remaining))!r} is not supported")
    return result
