"""Lowers products with constant matrices along any axis: linear, matmul, mm, addmm, bmm, einsum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pi_bench.network.graph import ConvNode, LinearNode, Node
from pi_bench.network.lowering.advice import advice
from pi_bench.network.lowering.arrangement import along, axis_of, in_order, reshaped
from pi_bench.network.lowering.reductions import summed_over
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, refuse, result_shape

_FIXED = "one of its operands must be a constant matrix, without a batch axis"


def weighed(
    lowering: Lowering, call: FxNode, source: Node, axis: int, weight: np.ndarray, bias: np.ndarray | None
) -> Node:
    """Applies the weights (out, in) and a bias (out,) along one axis, which is counted without the batch.

    >>> import torch
    >>> from pi_bench.network.graph import ReshapeNode
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.matmul.default, ())
    >>> weighed(Lowering(sources={}), call, ReshapeNode("x", (), (4, 3)), 1, np.ones((5, 3)), None).shape
    (4, 5)
    """
    name = lowering.reserve(call, "linear")
    constant = None if bias is None else lowering.cite(f"{name}.bias", bias)
    if len(source.shape) == 1:
        cited = lowering.cite(f"{name}.weight", weight)
        return lowering.append(LinearNode(name, (source.name,), (len(weight),), cited, constant))

    def multiply(front: Node) -> Node:
        plane = front.shape[1:] if len(front.shape) == 3 else (int(np.prod(front.shape[1:])), 1)
        seen = reshaped(lowering, call, front, (front.shape[0], *plane))
        cited = lowering.cite(f"{name}.weight", weight[:, :, None, None])
        shape = (len(weight), *plane)
        node = ConvNode(name, (seen.name,), shape, cited, constant, stride=(1, 1), padding=(0, 0))
        return reshaped(lowering, call, lowering.append(node), (len(weight), *front.shape[1:]))

    return along(lowering, call, source, axis, multiply)


def _linear(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = lowering.value(call, given["input"])
    if len(source.shape) == 1:
        weight = lowering.parameter(call, given["weight"])
        bias = lowering.optional_parameter(call, given["bias"])
        name = lowering.name(call, "linear")
        lowering.add(call, LinearNode(name, (source.name,), result_shape(call), weight, bias))
        return
    last, matrix = len(source.shape) - 1, lowering.constant(given["weight"])
    if matrix is None:
        raise refuse(call, "its weights must be parameters or buffers of the module")
    line = None if given["bias"] is None else lowering.constant(given["bias"])
    lowering.values[call] = weighed(lowering, call, source, last, matrix, line)


def _matmul(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    left, right = given["self"], given.get("other", given.get("mat2"))
    lowering.values[call] = _product(lowering, call, left, right)


def _addmm(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    left = given.get("mat1", given.get("batch1"))
    right, bias = given.get("mat2", given.get("batch2")), lowering.constant(given["self"])
    if bias is None or float(given["beta"]) not in (0.0, 1.0):
        raise refuse(call, "its first operand must be a constant; write the sum as an addition")
    columns = result_shape(call)[-1]
    if bias.size not in (1, columns) or bias.shape[-1:] not in ((), (1,), (columns,)):
        raise refuse(call, "its first operand must have one number per column")
    line = np.broadcast_to(bias.reshape(-1), (columns,)) * float(given["beta"])
    lowering.values[call] = _product(lowering, call, left, right, float(given["alpha"]), line)


def _product(
    lowering: Lowering, call: FxNode, left: Any, right: Any, gain: float = 1.0, bias: np.ndarray | None = None
) -> Node:
    """Multiplies an activation by a constant matrix on either side."""
    matrix = lowering.constant(right)
    if matrix is not None:
        source = lowering.value(call, left)
        matrix = _plain_matrix(call, matrix)
        columns = matrix[:, None] if matrix.ndim == 1 else matrix
        last = len(source.shape) - 1
        made = weighed(lowering, call, source, last, gain * columns.T, bias)
        return reshaped(lowering, call, made, result_shape(call) or (1,))
    matrix = lowering.constant(left)
    if matrix is None:
        raise refuse(call, advice("matmul"))
    matrix, source = _plain_matrix(call, matrix), lowering.value(call, right)
    rows = matrix[None] if matrix.ndim == 1 else matrix
    axis = axis_of(call, source, -2)
    if bias is not None:
        raise refuse(call, "write the sum as an addition")
    return reshaped(
        lowering, call, weighed(lowering, call, source, axis, gain * rows, None), result_shape(call) or (1,)
    )


def _plain_matrix(call: FxNode, matrix: np.ndarray) -> np.ndarray:
    while matrix.ndim > 2 and matrix.shape[0] == 1:
        matrix = matrix[0]
    if matrix.ndim not in (1, 2):
        raise refuse(call, _FIXED)
    return matrix


def _einsum(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    """Lowers a sum over letters of one operand, or a product with a constant matrix that sums one letter."""
    operands, result = _letters(call, given["equation"])
    if len(operands) == 1:
        _einsum_of_one(lowering, call, given["tensors"][0], operands[0], result)
        return
    fixed = [lowering.constant(tensor) for tensor in given["tensors"]]
    if len(operands) != 2 or [value is None for value in fixed].count(True) != 1:
        raise refuse(call, advice("einsum"))
    known = 0 if fixed[0] is not None else 1
    matrix, letters, others = fixed[known], operands[known], operands[1 - known]
    summed, kept = [a for a in letters if a in others], [a for a in letters if a not in others]
    if matrix is None or len(summed) != 1 or len(kept) != 1 or summed[0] in result:
        raise refuse(call, advice("einsum"))
    source = lowering.value(call, given["tensors"][1 - known])
    axis = axis_of(call, source, others.index(summed[0]))
    weight = matrix if letters == kept[0] + summed[0] else matrix.T
    made = weighed(lowering, call, source, axis, weight, None)
    order = others.replace(summed[0], kept[0])
    if sorted(order) != sorted(result) or order[0] != result[0]:
        raise refuse(call, advice("einsum"))
    lowering.values[call] = in_order(lowering, call, made, [order.index(letter) - 1 for letter in result[1:]])


def _einsum_of_one(lowering: Lowering, call: FxNode, operand: Any, letters: str, result: str) -> None:
    summed = [letter for letter in letters if letter not in result]
    if len({*letters}) != len(letters) or not {*result} <= {*letters} or letters[0] != result[0]:
        raise refuse(call, advice("einsum"))
    source, left = lowering.value(call, operand), [letter for letter in letters if letter in result]
    if summed:
        source = summed_over(lowering, call, source, [letters.index(letter) - 1 for letter in summed])
    lowering.values[call] = in_order(
        lowering, call, source, [left.index(letter) - 1 for letter in result[1:]]
    )


def _letters(call: FxNode, equation: str) -> tuple[list[str], str]:
    before, arrow, after = equation.replace(" ", "").partition("->")
    if not arrow or "." in equation:
        raise refuse(call, "write its equation with letters alone and an arrow, such as 'bf,of->bo'")
    return before.split(","), after


TRANSLATORS: Mapping[str, Translator] = {
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "bmm": _matmul,
    "mv": lambda lowering, call, given: _matmul(
        lowering, call, {"self": given["self"], "other": given["vec"]}
    ),
    "addmm": _addmm,
    "baddbmm": _addmm,
    "einsum": _einsum,
}
