"""A float network as plain arrays, and its evaluation by any set of operators.

Runs in the peers' environments: numpy is all it needs. `operators` has the methods
``conv(x, weight, bias, stride, padding)``, ``linear(x, weight, bias)``, ``relu(x)``, ``add(x, y)``,
``avg_pool(x, kernel, stride)`` and ``flatten(x)``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PlainNetwork:
    """`nodes`: in order, each with op, name, inputs and its own settings. Weights are (out, in, ...)."""

    input_shape: tuple[int, ...]  # without batch
    nodes: list[dict[str, Any]]
    weights: dict[str, np.ndarray]

    def save(self, path: Path) -> None:
        text = json.dumps({"input_shape": self.input_shape, "nodes": self.nodes})
        np.savez(path, __network__=np.array(text), **self.weights)

    @classmethod
    def load(cls, path: Path) -> PlainNetwork:
        with np.load(path, allow_pickle=False) as file:
            weights = {name: file[name] for name in file.files}
        description = json.loads(str(weights.pop("__network__")))
        return cls(tuple(description["input_shape"]), description["nodes"], weights)

    def evaluate(self, operators: Any, x: Any, weights: dict[str, Any]) -> Any:
        """Returns the output for a batch `x`, with `weights` by name, in the operators' form."""
        values = {"": x}
        for node in self.nodes:
            first = values[node["inputs"][0]]
            weight, bias = weights.get(node.get("weight")), weights.get(node.get("bias"))
            match node["op"]:
                case "input" | "identity":
                    value = first
                case "conv":
                    value = operators.conv(first, weight, bias, node["stride"], node["padding"])
                case "linear":
                    value = operators.linear(first, weight, bias)
                case "relu":
                    value = operators.relu(first)
                case "add":
                    value = operators.add(first, values[node["inputs"][1]])
                case "avg_pool":
                    value = operators.avg_pool(first, node["kernel"], node["stride"])
                case "flatten":
                    value = operators.flatten(first)
                case op:
                    raise ValueError(f"no operator {op}")
            values[node["name"]] = value
        return values[self.nodes[-1]["name"]]


def noise(network: PlainNetwork) -> np.ndarray:
    """Returns the client's input, float32 (1, ...): seeded noise, the same for every system."""
    return np.random.default_rng(0).normal(size=(1, *network.input_shape)).clip(-2, 2).astype(np.float32)
