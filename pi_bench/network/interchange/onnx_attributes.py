"""Reads the attributes of ONNX nodes, also of old opsets, in the form that the newest opset has."""

from __future__ import annotations

from typing import Any

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_tensors import TensorReader

_BROADCASTING = ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")
_FIRST_MODERN = 7
_FIRST_RESIZE = 11


def attributes_of(place: str, node: Any, reader: TensorReader, opset: int) -> dict[str, Any]:
    """Returns the attributes of a node by name; a Constant has its numbers as ``value``, in any form.

    Raises:
        ModelError: an attribute of a kind that is not supported; the message calls the node `place`.

    >>> from pathlib import Path
    >>> from onnx import helper
    >>> node = helper.make_node("Constant", [], ["c"], value_ints=[1, 2])
    >>> attributes_of("operator Constant", node, TensorReader("tiny.onnx", Path(".")), opset=17)
    {'value': array([1, 2])}
    """
    found = {entry.name: _attribute(place, entry, reader) for entry in node.attribute}
    if node.op_type == "Constant":
        if len(found) != 1:
            raise ModelError(f"{place} has {len(found)} values; one is needed")
        return {"value": _numbers(place, *found.popitem())}
    if node.op_type == "Split":  # the number of its results decides where it has no sizes
        found.setdefault("num_outputs", len(node.output))
    if node.op_type in ("Resize", "Upsample") and opset < _FIRST_RESIZE:
        found |= {"scales_at": 1, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "simple"}
    if opset < _FIRST_MODERN:
        _modernize(place, node.op_type, found)
    return found


def _attribute(place: str, entry: Any, reader: TensorReader) -> Any:
    match entry.type:
        case 1:
            return float(entry.f)
        case 2:
            return int(entry.i)
        case 3:
            return entry.s.decode("utf-8", "replace")
        case 4:
            return reader.dense(entry.t)
        case 6:
            return [float(value) for value in entry.floats]
        case 7:
            return [int(value) for value in entry.ints]
        case 11:
            return reader.sparse(entry.sparse_tensor)
    raise ModelError(f"{place} has the attribute {entry.name!r:.40}, of a kind that is not supported")


def _numbers(place: str, name: str, value: Any) -> np.ndarray:
    dtypes = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64}
    dtypes["value_ints"] = np.int64
    if name in ("value", "sparse_value") and isinstance(value, np.ndarray):
        return value
    if name not in dtypes:
        raise ModelError(f"{place} is no number: texts are not supported")
    return np.asarray(value, dtypes[name])


def _modernize(place: str, operator: str, attributes: dict[str, Any]) -> None:
    """Checks that opset 6 has the meaning of opset 7, and removes the attributes that only opset 6 has.

    Raises:
        ModelError: it means something else.
    """
    attributes.pop("consumed_inputs", None)
    if operator in ("BatchNormalization", "Dropout") and not attributes.pop("is_test", 0):
        raise ModelError(f"{place} is as in training (is_test=0): export in evaluation")
    if operator == "Gemm":
        attributes.pop("broadcast", None)
    elif operator in _BROADCASTING and attributes.pop("broadcast", 0):
        return  # an axis, if one is given, is where the right operand's axes begin
    elif operator in _BROADCASTING:
        attributes.pop("axis", None)
    if operator == "PRelu":
        attributes["by_channel"] = 1
