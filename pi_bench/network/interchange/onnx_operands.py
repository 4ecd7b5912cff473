"""Operands of ONNX operators: torch tensors, or numpy arrays where ONNX computes shapes in the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pi_bench.errors import ModelError

Attributes = dict[str, Any]
Operator = Callable[[list[Any], Attributes], Any]
"""A function of inputs and attributes, which removes the attributes that it knows from the mapping."""


def as_tensor(value: Any, like: torch.Tensor) -> torch.Tensor:
    """Converts an operand to a tensor on the device of `like`.

    >>> as_tensor(np.float32([1, 2]), like=torch.zeros(1)).tolist()
    [1.0, 2.0]
    """
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value, device=like.device)


def activation(value: Any) -> torch.Tensor:
    """Returns an operand that depends on the network's input.

    Raises:
        ModelError: the operand is a constant.

    >>> activation(np.float32([1, 2]))
    Traceback (most recent call last):
    pi_bench.errors.ModelError: its operand is a constant
    """
    if not isinstance(value, torch.Tensor):
        raise ModelError("its operand is a constant")
    return value


def integers(value: Any, what: str) -> list[int]:
    """Reads a constant operand as a list of integers; messages call it `what`.

    Raises:
        ModelError: the operand is not a constant of the file.

    >>> integers(np.array([[1, 2]]), "pads")
    [1, 2]
    """
    if not isinstance(value, np.ndarray):
        raise ModelError(f"its {what} must be constants of the file")
    return [int(item) for item in value.reshape(-1)]


def parameter(inputs: list[Any], attributes: Attributes, position: int, name: str) -> list[int] | None:
    """Reads integers that older opsets have as an attribute and newer ones as an input; None if neither is
    given.

    >>> parameter([None, np.array([2, 3])], {}, position=1, name="axes")
    [2, 3]
    >>> parameter([None], {"axes": [2, 3]}, position=1, name="axes")
    [2, 3]
    """
    if name in attributes:
        return [int(item) for item in attributes.pop(name)]
    if len(inputs) > position and inputs[position] is not None:
        return integers(inputs[position], name)
    return None
