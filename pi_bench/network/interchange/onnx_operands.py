"""Operands of ONNX operators: torch tensors, or numpy arrays where ONNX computes shapes in the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pi_bench.errors import ModelError

Attributes = dict[str, Any]
Operator = Callable[[list[Any], Attributes], Any]
"""Takes the attributes that it knows out of the mapping."""


def as_tensor(value: Any, like: torch.Tensor) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value, device=like.device)


def activation(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise ModelError("its operand is a constant")
    return value


def integers(value: Any, what: str) -> list[int]:
    if not isinstance(value, np.ndarray):
        raise ModelError(f"its {what} must be constants of the file")
    return [int(item) for item in value.reshape(-1)]


def parameter(inputs: list[Any], attributes: Attributes, position: int, name: str) -> list[int] | None:
    """Integers that older opsets have as an attribute and newer ones as an input."""
    if name in attributes:
        return [int(item) for item in attributes.pop(name)]
    if len(inputs) > position and inputs[position] is not None:
        return integers(inputs[position], name)
    return None
