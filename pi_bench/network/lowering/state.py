"""The translation of a trace: what each call stands for so far, names, and refusals.

Only the structure of the trace is read here (names, arguments, shapes): this module needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pi_bench.errors import ModelError
from pi_bench.network.graph import Node, Pair, Shape

FxNode = Any  # torch.fx.Node


@dataclass
class Lowering:
    """The translation so far.

    `sources`: a placeholder's name → the parameter's or buffer's name. `parts`: of calls with several
    results, what makes the node of each one that is read.
    """

    sources: dict[str, str]
    values: dict[FxNode, Node] = field(default_factory=dict)
    parts: dict[FxNode, list[Callable[[FxNode], Node]]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def add(self, fx_node: FxNode, node: Node) -> None:
        self.nodes.append(node)
        self.values[fx_node] = node

    def append(self, node: Node) -> Node:
        """A node that is a part of what a call makes."""
        self.nodes.append(node)
        return node

    def node(self, name: str) -> Node:
        """Return the node called `name`, which has been added before."""
        return next(node for node in self.nodes if node.name == name)

    def name(self, fx_node: FxNode, operator: str) -> str:
        """The module's path where the operator is the module, else path and operator; unique."""
        path, kind = _module(fx_node)
        owner = kind.startswith("torch.nn.modules.") and not kind.startswith("torch.nn.modules.container")
        base = path if owner and path else ".".join(filter(None, (path, operator)))
        taken = {node.name for node in self.nodes}
        candidates = (base if i == 1 else f"{base}_{i}" for i in range(1, len(taken) + 3))
        return next(candidate for candidate in candidates if candidate not in taken | {"output"})

    def value(self, fx_node: FxNode, argument: Any) -> Node:
        node = self.values.get(argument) if hasattr(argument, "op") else None
        if node is None:
            raise refuse(fx_node, "its operands must be values computed from the network's input")
        return node

    def parameter(self, fx_node: FxNode, argument: Any) -> str:
        name = self.sources.get(getattr(argument, "name", ""))
        if name is None:
            raise refuse(fx_node, "its weights must be parameters or buffers of the module")
        return name

    def optional_parameter(self, fx_node: FxNode, argument: Any) -> str | None:
        return None if argument is None else self.parameter(fx_node, argument)


def refuse(fx_node: FxNode, advice: str) -> ModelError:
    path, _ = _module(fx_node)
    place = f"in module {path!r}" if path else "in the network's forward()"
    operator = str(fx_node.target).removeprefix("aten.")
    return ModelError(f"operator {operator} {place} cannot be lowered: {advice}")


def stem(fx_node: FxNode) -> str:
    """``mul`` of ``aten.mul.Tensor``; operators of other libraries have none."""
    name = str(fx_node.target)
    return name.removeprefix("aten.").split(".")[0].lstrip("_") if name.startswith("aten.") else ""


def _module(fx_node: FxNode) -> tuple[str, str]:
    """(path, class) of the innermost module that the call stands in."""
    stack = list((fx_node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    path, kind = stack[-1]
    return str(path), kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def arguments(fx_node: FxNode) -> dict[str, Any]:
    """Every argument by its name in the operator's schema, defaults filled in."""
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
    """Of the call's first result, without batch."""
    value = fx_node.meta["val"]
    value = value[0] if isinstance(value, tuple | list) else value
    return tuple(int(size) for size in value.shape[1:])


def pair(value: Any) -> Pair:
    numbers = [int(value)] if isinstance(value, int) else [int(item) for item in value]
    return (numbers[0], numbers[-1])


def keeps_batch(fx_node: FxNode, source: FxNode) -> Shape:
    """The result's shape without batch.

    Raises:
        ModelError: the call moves or changes the batch axis.
    """
    before, after = source.meta["val"].shape, fx_node.meta["val"].shape
    if len(after) < 2 or int(after[0]) != int(before[0]):
        raise refuse(fx_node, f"it makes {tuple(after)} of {tuple(before)}; leave the batch axis as it is")
    return result_shape(fx_node)


Translator = Callable[[Lowering, FxNode, dict[str, Any]], None]
"""``translator(lowering, call, arguments)`` adds the nodes of one call."""
