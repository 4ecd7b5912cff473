"""Finds the logits of an ONNX file: its output before softmax and its like, which the client applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pi_bench.errors import ModelError

_ELEMENTWISE = ("Softmax", "LogSoftmax", "Sigmoid")
"""Functions of the answer that keep its shape."""

_CHOICES = ("ArgMax", "Hardmax", "TopK")
"""Functions that choose classes; the operators after them speak of classes too."""

_NAMES = {"LogSoftmax": "log_softmax"}
_PASSING = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Dropout")


@dataclass(frozen=True, slots=True)
class Ending:
    """The value that a network answers with, and the operators after it that are left out.

    Attributes:
        output: names the value.
        replaced: maps each result of an operator that is left out to its operand.
        left_out: lists these operators in the order in which the client applies them, as the meta of a graph
            has them (`lowering.last_step`).

    >>> Ending("logits", {}, ({"operator": "softmax", "dimension": 1},)).output
    'logits'
    """

    output: str
    replaced: dict[str, str]
    left_out: tuple[dict[str, Any], ...]


def ending(name: str, graph: Any, opset: int) -> Ending:
    """Returns the ending of the graph of the file `name`, which has operators of `opset`.

    Several outputs are one if they are functions of the same logits, such as classes and probabilities.

    Raises:
        ModelError: the graph has no output, or several that differ.

    >>> from onnx import helper
    >>> nodes = [helper.make_node("Gemm", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["y"])]
    >>> outputs = [helper.make_tensor_value_info(name, 1, None) for name in "yz"]
    >>> ending("tiny.onnx", helper.make_graph(nodes, "tiny", [], outputs), opset=17).output
    'z'
    """
    makers = {output: node for node in graph.node for output in node.output if output}
    inside = _read_inside(graph)
    outputs = [entry.name for entry in graph.output]
    found = [_before(output, makers, inside, opset) for output in outputs]
    logits = {logits for _, logits in found}
    if len(logits) != 1:
        raise ModelError(
            f"{name} has {len(outputs)} outputs ({', '.join(outputs):.80}); keep one with "
            "onnx.utils.extract_model, or export a module with one"
        )
    endings = [each for each, _ in found]
    if len(endings) == 1:
        return endings[0]
    steps = [step for each in endings for step in each.left_out]
    return Ending(logits.pop(), {}, tuple(step for at, step in enumerate(steps) if step not in steps[:at]))


def live_nodes(graph: Any, end: Ending) -> list[Any]:
    """Lists the nodes that the answer depends on, in their order.

    >>> from onnx import helper
    >>> nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("ArgMax", ["y"], ["class"])]
    >>> [node.op_type for node in live_nodes(helper.make_graph(nodes, "tiny", [], []), Ending("y", {}, ()))]
    ['Relu']
    """
    wanted, found = {end.output}, []
    for node in reversed(graph.node):
        made = [name for name in node.output if name in wanted and name not in end.replaced]
        if made:
            found.append(node)
            wanted.update(end.replaced.get(name, name) for name in node.input)
    return found[::-1]


def _read_inside(graph: Any) -> set[str]:
    """Returns the values that are read by an operator whose result is more than a function of logits."""
    inside: set[str] = set()
    for node in reversed(graph.node):
        is_last = node.op_type in (*_ELEMENTWISE, *_CHOICES, *_PASSING) and not inside & set(node.output)
        if not is_last:
            inside.update(node.input)
    return inside


def _before(output: str, makers: dict[str, Any], inside: set[str], opset: int) -> tuple[Ending, str]:
    """Returns the ending at one output, and the name of the value before all that is left out."""
    answer = name = logits = output
    replaced: dict[str, str] = {}
    left_out: list[dict[str, Any]] = []
    passed: set[str] = set()
    while (node := makers.get(name)) is not None and name not in passed:
        passed.add(name)
        if name in inside:
            break
        if node.op_type in _CHOICES:
            answer, replaced = node.input[0], {}
        elif node.op_type in _ELEMENTWISE:
            replaced[name] = node.input[0]
        elif node.op_type not in _PASSING:
            break
        name = node.input[0] if node.input else ""
        if node.op_type not in _PASSING:
            left_out.append(_step(node, opset))
            logits = name
    answer = replaced.pop(answer, answer)
    return Ending(answer, replaced, tuple(reversed(left_out))), logits


def _step(node: Any, opset: int) -> dict[str, Any]:
    """Returns the operator of a node and its axis, whose default was another before opset 13."""
    default = {"Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "TopK": -1, "ArgMax": 0}.get(node.op_type)
    if default == -1 and opset < 13 and node.op_type != "TopK":
        default = 1
    axis = next((entry.i for entry in node.attribute if entry.name == "axis"), default)
    return {"operator": _NAMES.get(node.op_type, node.op_type.lower()), "dimension": axis}
