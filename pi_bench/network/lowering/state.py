"""The state of a lowering: the node of each translated call, names, and refusals.

Only the structure of the trace is read here (names, arguments, shapes), so this module needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.graph import Node, Pair, Shape

FxNode = Any  # torch.fx.Node


@dataclass
class Lowering:
    """The nodes made so far, and the calls that they are the values of.

    Attributes:
        sources: a placeholder's name → the parameter's or buffer's name.
        parts: for calls with several results, a function per result that makes the node of one that is read.
        constants: the values that depend on parameters alone, by call.
        parameters: weights that the lowering made, which nodes cite.
        reserved: names of nodes that are added later.

    >>> import torch
    >>> from pi_bench.network.graph import InputNode
    >>> x, lowering = torch.fx.Graph().placeholder("x"), Lowering(sources={})
    >>> lowering.add(x, InputNode("input", (), (2,)))
    >>> lowering.value(x, x).name, lowering.name(x, "relu")
    ('input', 'relu')
    """

    sources: dict[str, str]
    values: dict[FxNode, Node] = field(default_factory=dict)
    parts: dict[FxNode, list[Callable[[FxNode], Node]]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    constants: Mapping[FxNode, Any] = field(default_factory=dict)
    parameters: dict[str, np.ndarray] = field(default_factory=dict)
    reserved: set[str] = field(default_factory=set)

    def add(self, fx_node: FxNode, node: Node) -> None:
        """Adds a node that is the value of a call."""
        self.nodes.append(node)
        self.values[fx_node] = node

    def append(self, node: Node) -> Node:
        """Adds a node that is one of several nodes of a call."""
        self.nodes.append(node)
        return node

    def node(self, name: str) -> Node:
        """Returns the node called `name`, which has been added before."""
        return next(node for node in self.nodes if node.name == name)

    def name(self, fx_node: FxNode, operator: str) -> str:
        """Makes a unique name: the module's path where the operator is the module, else path and operator."""
        path, kind = _module(fx_node)
        owner = kind.startswith("torch.nn.modules.") and not kind.startswith("torch.nn.modules.container")
        base = path if owner and path else ".".join(filter(None, (path, operator)))
        taken = {node.name for node in self.nodes} | self.reserved
        candidates = (base if i == 1 else f"{base}_{i}" for i in range(1, len(taken) + 3))
        return next(candidate for candidate in candidates if candidate not in taken | {"output"})

    def reserve(self, fx_node: FxNode, operator: str) -> str:
        """Makes the name of a node that is added after its helpers, so that it has the module's path."""
        name = self.name(fx_node, operator)
        self.reserved.add(name)
        return name

    def value(self, fx_node: FxNode, argument: Any) -> Node:
        """Returns the node of an operand.

        Raises:
            ModelError: the operand does not depend on the network's input.
        """
        node = self.values.get(argument) if hasattr(argument, "op") else None
        if node is None:
            raise refuse(fx_node, "its operands must be values computed from the network's input")
        return node

    def constant(self, argument: Any) -> np.ndarray | None:
        """Returns an operand that is a number or depends on parameters alone, and None for any other."""
        if isinstance(argument, bool | int | float):
            return np.array(argument, np.float64)
        value = self.constants.get(argument) if hasattr(argument, "op") else None
        if value is None or not hasattr(value, "detach") or value.is_complex():
            return None
        plain = value.detach().cpu()
        array: np.ndarray = (plain.double() if plain.is_floating_point() else plain).numpy()
        return array

    def cite(self, name: str, values: np.ndarray) -> str:
        """Keeps weights that the lowering made, as float32, and returns the name that nodes cite."""
        taken = {*self.parameters, *self.sources.values()}
        candidates = (f"{name}_{i}" if i else name for i in range(len(taken) + 1))
        unique = next(candidate for candidate in candidates if candidate not in taken)
        self.parameters[unique] = np.ascontiguousarray(values, np.float32)
        return unique

    def parameter(self, fx_node: FxNode, argument: Any) -> str:
        """Returns the name of the parameter or buffer that an operand is.

        Raises:
            ModelError: the operand is neither.
        """
        name = self.sources.get(getattr(argument, "name", ""))
        if name is None:
            raise refuse(fx_node, "its weights must be parameters or buffers of the module")
        return name

    def optional_parameter(self, fx_node: FxNode, argument: Any) -> str | None:
        """Returns the name of the parameter or buffer that an operand is, or None for None."""
        return None if argument is None else self.parameter(fx_node, argument)


def refuse(fx_node: FxNode, advice: str, *, activation: str | None = None) -> ModelError:
    """Makes the error that names a call's operator and module, and gives advice.

    Args:
        activation: the name of the activation that the operator is a part of, if there is one.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.gelu.default, ())
    >>> str(refuse(call, "use torch.nn.ReLU"))
    "operator gelu.default in the network's forward() cannot be lowered: use torch.nn.ReLU"
    """
    path, _ = _module(fx_node)
    place = f"in module {path!r}" if path else "in the network's forward()"
    operator = str(fx_node.target).removeprefix("aten.")
    what = (
        f"operator {operator}"
        if activation is None
        else f"activation {activation}, here as {operator} and others,"
    )
    return ModelError(f"{what} {place} cannot be lowered: {advice}")


def stem(fx_node: FxNode) -> str:
    """Returns the name of a call's operator without overload: ``mul`` of ``aten.mul.Tensor``.

    Operators of other libraries have the empty name.

    >>> import torch
    >>> stem(torch.fx.Graph().call_function(torch.ops.aten._to_copy.default, ()))
    'to_copy'
    """
    name = str(fx_node.target)
    return name.removeprefix("aten.").split(".")[0].lstrip("_") if name.startswith("aten.") else ""


def _module(fx_node: FxNode) -> tuple[str, str]:
    """Returns (path, class) of the innermost module that contains the call."""
    stack = list((fx_node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    path, kind = stack[-1]
    return str(path), kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def arguments(fx_node: FxNode) -> dict[str, Any]:
    """Returns every argument of a call by its name in the operator's schema, with defaults filled in.

    >>> import torch
    >>> graph = torch.fx.Graph()
    >>> x = graph.placeholder("x")
    >>> arguments(graph.call_function(torch.ops.aten.leaky_relu.default, (x,)))
    {'self': x, 'negative_slope': 0.01}
    """
    schema = getattr(fx_node.target, "_schema", None)
    if schema is None:
        return {}
    found: dict[str, Any] = {}
    for position, entry in enumerate(schema.arguments):
        if position < len(fx_node.args):
            found[entry.name] = fx_node.args[position]
        elif entry.name in fx_node.kwargs:
            found[entry.name] = fx_node.kwargs[entry.name]
        else:
            found[entry.name] = entry.default_value if entry.has_default_value() else None
    return found


def result_shape(fx_node: FxNode) -> Shape:
    """Returns the shape of a call's first result, without batch.

    >>> import torch
    >>> call = torch.fx.Graph().placeholder("x")
    >>> call.meta["val"] = torch.zeros(1, 3, 8, 8)
    >>> result_shape(call)
    (3, 8, 8)
    """
    value = fx_node.meta["val"]
    value = value[0] if isinstance(value, tuple | list) else value
    return tuple(int(size) for size in value.shape[1:])


def pair(value: Any) -> Pair:
    """Expands a number, or a list of one or two numbers, to two numbers.

    >>> pair(3), pair([1, 2])
    ((3, 3), (1, 2))
    """
    numbers = [int(value)] if isinstance(value, int) else [int(item) for item in value]
    return (numbers[0], numbers[-1])


def keeps_batch(fx_node: FxNode, source: FxNode) -> Shape:
    """Returns the result's shape without batch.

    Raises:
        ModelError: the call moves or changes the batch axis.

    >>> import torch
    >>> source, call = (torch.fx.Graph().placeholder(name) for name in ("x", "view"))
    >>> source.meta["val"], call.meta["val"] = torch.zeros(2, 3, 4), torch.zeros(2, 12)
    >>> keeps_batch(call, source)
    (12,)
    """
    before, after = source.meta["val"].shape, fx_node.meta["val"].shape
    if len(after) < 2 or int(after[0]) != int(before[0]):
        raise refuse(fx_node, f"it makes {tuple(after)} of {tuple(before)}; leave the batch axis as it is")
    return result_shape(fx_node)


Translator = Callable[[Lowering, FxNode, dict[str, Any]], None]
"""A function ``translator(lowering, call, arguments)``, which adds the nodes of one call."""
