"""Leaves out the last step of a network after its logits: softmax, log-softmax, sigmoid or argmax.

The first three change no order of the classes, argmax chooses one, and the client has the logits. So the
client applies them itself.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch

from pi_bench.network.lowering.state import FxNode, arguments, stem

_LEFT_OUT = ("softmax", "log_softmax", "sigmoid")
_BEHIND_A_CLASS = (
    *(
        "view",
        "reshape",
        "unsafe_view",
        "squeeze",
        "unsqueeze",
        "flatten",
        "to",
        "to_copy",
        "clone",
        "detach",
    ),
    *("contiguous", "alias", "lift_fresh_copy"),
)
"""Operators that only rearrange or convert their operand: after argmax, they rearrange classes."""
_ASSERTION = "assert_tensor_metadata"
META_KEY = "left_to_client"
"""The key of a graph's meta that lists the operators, each with its dimension, in the order of computing."""


def without_last_step(answer: FxNode) -> tuple[FxNode, list[dict[str, Any]]]:
    """Removes the operators at the end of a trace that the client applies itself.

    Returns the call that the trace now answers with, and the operators that were removed.

    >>> graph = torch.fx.Graph()
    >>> logits = graph.placeholder("logits")
    >>> answer = graph.call_function(torch.ops.aten.softmax.int, (logits, 1))
    >>> _ = graph.output((answer,))
    >>> without_last_step(answer)
    (logits, [{'operator': 'softmax', 'dimension': 1}])
    """
    left: list[dict[str, Any]] = []
    found = _largest(answer)
    if found is not None:
        logits, dimension = found
        left.append({"operator": "argmax", "dimension": dimension})
        answer = _replaced(answer, logits)
    while answer.op == "call_function" and stem(answer) in _LEFT_OUT and len(answer.users) == 1:
        given = arguments(answer)
        left.insert(0, {"operator": stem(answer), "dimension": given.get("dim")})
        answer = _replaced(answer, given["self"])
    return answer, left


def _replaced(answer: FxNode, operand: FxNode) -> FxNode:
    """Lets a trace answer with an operand of its answer, and erases the calls between them."""
    answer.replace_all_uses_with(operand)
    while answer is not operand:
        for assertion in [*answer.users]:
            answer.graph.erase_node(assertion)
        before = answer.args[0]
        answer.graph.erase_node(answer)
        answer = before
    return operand


def _largest(answer: FxNode) -> tuple[FxNode, int] | None:
    """Finds the logits, and their dimension, if the answer is the index of the largest. Else None."""
    while _is_last(answer) and stem(answer) in _BEHIND_A_CLASS:
        answer = answer.args[0]
    if not _is_last(answer):
        return None
    if answer.target is operator.getitem and answer.args[1] == 1 and _is_last(answer.args[0]):
        answer = answer.args[0]
        if str(answer.target) != "aten.max.dim":
            return None
    elif stem(answer) != "argmax":
        return None
    given = arguments(answer)
    logits, dimension = given["self"], given["dim"]
    rank = len(logits.meta["val"].shape)
    if dimension is None or dimension % rank == 0:  # over the batch too: that is no class of an input
        return None
    return logits, dimension


def _is_last(node: FxNode) -> bool:
    users = [user for user in node.users if stem(user) != _ASSERTION]
    return node.op == "call_function" and len(users) == 1


def with_last_step(logits: torch.Tensor, meta: Mapping[str, Any]) -> torch.Tensor:
    """Applies to logits the last step that a graph leaves to the client, which its meta names.

    A step that chooses classes leaves out their axis.

    >>> with_last_step(torch.zeros(1, 2), {META_KEY: [{"operator": "sigmoid", "dimension": None}]}).tolist()
    [[0.5, 0.5]]
    """
    for step in meta.get(META_KEY, ()):
        if step["operator"] == "sigmoid":
            logits = torch.sigmoid(logits)
        else:
            logits = getattr(torch, step["operator"])(logits, step["dimension"])
    return logits
