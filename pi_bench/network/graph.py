"""The float operator graph of a user's network: what a model file holds and the compiler reads.

A graph is a sequence of nodes in static single assignment form: every node comes after its inputs,
the only `InputNode` first, the only `OutputNode` last. A node's name is the module path in the
user's network, unique in the graph, and is also the name of the value that it makes. Shapes leave
the batch out: ``(channels, height, width)`` or ``(features,)``.

Parameters stand apart, float32, under names that the nodes cite. `pi_bench.network.graph_check`
validates a graph from an untrusted file, `pi_bench.network.graph_float` evaluates one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pi_bench.errors import ModelError

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """What every node has. `inputs`: names of earlier nodes. `shape`: of its value, without batch."""

    name: str
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class InputNode(Node):
    """The network's only input."""


@dataclass(frozen=True, slots=True)
class ConvNode(Node):
    """2-d convolution, one group, no dilation. Parameters: weight (out, in, kh, kw), bias (out,)."""

    weight: str
    bias: str | None
    stride: Pair
    padding: Pair  # rows above and below, columns left and right: zeros


@dataclass(frozen=True, slots=True)
class LinearNode(Node):
    """Fully connected. Parameters: weight (out, in), bias (out,)."""

    weight: str
    bias: str | None


@dataclass(frozen=True, slots=True)
class BatchNormNode(Node):
    """In inference: weight * (x - mean) / sqrt(variance + epsilon) + bias, each (channels,).

    `weight` and `bias` may be None (1 and 0).
    """

    weight: str | None
    bias: str | None
    mean: str
    variance: str
    epsilon: float


@dataclass(frozen=True, slots=True)
class ReluNode(Node):
    """max(0, x) where the mask (bool, of the node's shape) is True, x elsewhere; None = everywhere."""

    mask: str | None = None


@dataclass(frozen=True, slots=True)
class AddNode(Node):
    """Sum of two values of equal shape."""


@dataclass(frozen=True, slots=True)
class AvgPoolNode(Node):
    """Mean over windows, zeros of the padding counted; global and adaptive pooling are this too."""

    kernel: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True, slots=True)
class FlattenNode(Node):
    """To ``(features,)``, in row-major order."""


@dataclass(frozen=True, slots=True)
class IdentityNode(Node):
    """Its input unchanged: dropout in inference, `torch.nn.Identity`."""


@dataclass(frozen=True, slots=True)
class OutputNode(Node):
    """The network's only output, ``(features,)`` or a map: the logits."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Graph:
    """A network with its weights and what calibration saw.

    parameters: float32 arrays by the names that nodes cite.
    masks: bool arrays by the names that `ReluNode`s cite.
    ranges: node name → largest |value| over the calibration inputs; empty before calibration.
    labels: class names, one an output feature, or none.
    meta: what the exporter noted (JSON values), never read by the compiler but for ``meta["name"]``.
    """

    nodes: tuple[Node, ...]
    parameters: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    ranges: Mapping[str, float] = dataclasses.field(default_factory=dict)
    labels: tuple[str, ...] = ()
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        """Short: the arrays would flood a notebook's screen."""
        name = self.meta.get("name", "network")
        return f"<Graph {name!r}: {len(self.nodes)} nodes, {self.relu_count:,} ReLUs>"

    @property
    def input(self) -> Node:
        return self.nodes[0]

    @property
    def output(self) -> Node:
        return self.nodes[-1]

    @property
    def relu_count(self) -> int:
        """ReLUs of one inference of one sample."""
        relus = (node for node in self.nodes if isinstance(node, ReluNode))
        return sum(
            math.prod(node.shape) if node.mask is None else int(np.count_nonzero(self.masks[node.mask]))
            for node in relus
        )


OPERATORS: Mapping[str, type[Node]] = {
    "input": InputNode,
    "conv": ConvNode,
    "linear": LinearNode,
    "batch_norm": BatchNormNode,
    "relu": ReluNode,
    "add": AddNode,
    "avg_pool": AvgPoolNode,
    "flatten": FlattenNode,
    "identity": IdentityNode,
    "output": OutputNode,
}
"""The names of operators in files and messages."""

_OPERATOR_NAMES = {kind: name for name, kind in OPERATORS.items()}


def operator_name(node: Node) -> str:
    return _OPERATOR_NAMES[type(node)]


def node_to_fields(node: Node) -> dict[str, Any]:
    """The node as JSON values: its fields and ``operator``."""
    fields = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    jsonable = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    return {"operator": operator_name(node), **jsonable}


def node_from_fields(fields: Any) -> Node:
    """Inverse of `node_to_fields` for untrusted content.

    Raises:
        ModelError: an unknown operator, missing or superfluous fields, values of the wrong type.
    """
    if not isinstance(fields, dict):
        raise ModelError("a node of the graph is not a mapping of fields")
    node = repr(fields.get("name"))[:80]
    operator = fields.get("operator")
    kind = OPERATORS.get(operator) if isinstance(operator, str) else None
    if kind is None:
        raise ModelError(f"node {node} has the unknown operator {operator!r:.40}")
    expected = {field.name for field in dataclasses.fields(kind)}
    if set(fields) != expected | {"operator"}:
        raise ModelError(f"node {node} ({operator}) does not have exactly the fields {sorted(expected)}")
    values = {name: _parsed(name, fields[name], kind, node) for name in expected}
    return kind(**values)


def _parsed(field: str, value: Any, kind: type[Node], node: str) -> Any:
    optional = "None" in str(kind.__dataclass_fields__[field].type)
    if value is None and optional:
        return None
    if isinstance(value, list):
        value = tuple(value)
    if not _FIELD_CHECKS[field](value):
        raise ModelError(f"node {node}: field {field!r} cannot be {value!r:.60}")
    return float(value) if field == "epsilon" else value


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 512


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _is_ints(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= 8 and all(_is_int(item) for item in value)


def _is_pair(value: Any) -> bool:
    return _is_ints(value) and len(value) == 2


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FIELD_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_name,
    "inputs": lambda value: isinstance(value, tuple) and len(value) <= 2 and all(map(_is_name, value)),
    "shape": _is_ints,
    "weight": _is_name,
    "bias": _is_name,
    "mean": _is_name,
    "variance": _is_name,
    "mask": _is_name,
    "epsilon": _is_number,
    "stride": _is_pair,
    "padding": _is_pair,
    "kernel": _is_pair,
}
