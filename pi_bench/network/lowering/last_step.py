"""Leaves out what a network computes from its logits at the very end: softmax, log-softmax, sigmoid.

They change no order of the classes, and the client has the logits, so the client applies them itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from pi_bench.network.lowering.state import FxNode, arguments, stem

_LEFT_OUT = ("softmax", "log_softmax", "sigmoid")
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
    while answer.op == "call_function" and stem(answer) in _LEFT_OUT and len(answer.users) == 1:
        given = arguments(answer)
        left.insert(0, {"operator": stem(answer), "dimension": given.get("dim")})
        answer.replace_all_uses_with(given["self"])
        answer.graph.erase_node(answer)
        answer = given["self"]
    return answer, left


def with_last_step(logits: torch.Tensor, meta: Mapping[str, Any]) -> torch.Tensor:
    """Applies to logits what a graph leaves to the client, as its meta says.

    >>> with_last_step(torch.zeros(1, 2), {META_KEY: [{"operator": "sigmoid", "dimension": None}]}).tolist()
    [[0.5, 0.5]]
    """
    for step in meta.get(META_KEY, ()):
        if step["operator"] == "sigmoid":
            logits = torch.sigmoid(logits)
        else:
            logits = getattr(torch, step["operator"])(logits, step["dimension"])
    return logits
