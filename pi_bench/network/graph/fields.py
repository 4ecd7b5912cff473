"""Converts nodes of a float graph to JSON values, and untrusted JSON values to nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pi_bench.errors import ModelError
from pi_bench.network.graph.node import Node
from pi_bench.network.graph.nodes import OPERATORS, operator_name

_MAX_POSITIONS = 1 << 16  # of a program's channel map


def node_to_fields(node: Node) -> dict[str, Any]:
    """Converts a node to JSON values: its fields, and its operator as ``operator``.

    >>> from pi_bench.network.graph import ReluNode
    >>> node_to_fields(ReluNode("relu", ("x",), (4,)))
    {'operator': 'relu', 'name': 'relu', 'inputs': ['x'], 'shape': [4], 'mask': None}
    """
    fields = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    jsonable = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    return {"operator": operator_name(node), **jsonable}


def node_from_fields(fields: Any) -> Node:
    """Converts untrusted JSON values to a node; the inverse of `node_to_fields`.

    Raises:
        ModelError: an unknown operator, missing or superfluous fields, or values of the wrong type.

    >>> node_from_fields({"operator": "add", "name": "sum", "inputs": ["a", "b"], "shape": [4]})
    AddNode(name='sum', inputs=('a', 'b'), shape=(4,))
    """
    if not isinstance(fields, dict):
        raise ModelError("a node of the graph is not a mapping of fields")
    node = repr(fields.get("name"))[:80]
    operator = fields.get("operator")
    kind = OPERATORS.get(operator) if isinstance(operator, str) else None
    if kind is None:
        raise ModelError(f"node {node} has the unknown operator {operator!r:.40}")
    expected = {field.name for field in dataclasses.fields(kind)}
    required = {field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING}
    if not required | {"operator"} <= set(fields) <= expected | {"operator"}:
        raise ModelError(f"node {node} ({operator}) does not have exactly the fields {sorted(expected)}")
    values = {name: _parsed(name, fields[name], kind, node) for name in expected & set(fields)}
    return kind(**values)


def _parsed(field: str, value: Any, kind: type[Node], node: str) -> Any:
    optional = "None" in str(kind.__dataclass_fields__[field].type)
    if value is None and optional:
        return None
    if isinstance(value, list):
        value = tuple(value)
    if not _FIELD_CHECKS[field](value):
        raise ModelError(f"node {node}: field {field!r} cannot be {value!r:.60}")
    return float(value) if _FIELD_CHECKS[field] is _is_number else value


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 512


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _is_offset(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 12


def _is_ints(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= 8 and all(_is_int(item) for item in value)


def _are_positions(value: Any) -> bool:
    known = isinstance(value, tuple) and len(value) <= _MAX_POSITIONS
    return known and all(item == -1 or _is_int(item) for item in value)


def _is_pair(value: Any) -> bool:
    return _is_ints(value) and len(value) == 2


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**1000


_FIELD_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_name,
    "inputs": lambda value: isinstance(value, tuple) and len(value) <= 256 and all(map(_is_name, value)),
    "shape": _is_ints,
    "weight": _is_name,
    "bias": _is_name,
    "mean": _is_name,
    "variance": _is_name,
    "mask": _is_name,
    "coefficients": _is_name,
    "relu": _is_name,
    "epsilon": _is_number,
    "factor": _is_number,
    "shift": _is_number,
    "slope": _is_number,
    "low": _is_number,
    "high": _is_number,
    "stride": _is_pair,
    "padding": lambda value: _is_ints(value) and len(value) in (2, 4),
    "kernel": _is_pair,
    "dilation": _is_pair,
    "groups": _is_int,
    "ceil": lambda value: isinstance(value, bool),
    "count_padding": lambda value: isinstance(value, bool),
    "divisor": _is_int,
    "axes": _is_ints,
    "first": _is_int,
    "offset": lambda value: isinstance(value, tuple) and len(value) == 2 and all(map(_is_offset, value)),
    "channels": _is_pair,
    "channel_bits": lambda value: isinstance(value, tuple) and all(map(_is_int, value)),
    "positions": _are_positions,
}
