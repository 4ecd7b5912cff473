"""Measures how much noise in a layer's values changes the logits, by adding some.

The noise is added at one layer at a time, to the float network, and the nodes after that layer are evaluated
again. Noise of this size acts linearly, so the error of any other rounding follows from its variance.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_operators import apply
from pi_bench.network.graph.float_run import evaluate

_NOISE = 2.0**-8
"""The noise's size, relative to the root mean square of the values: far above the rounding of float32."""
_TINY = 1e-30


def sensitivities(graph: Graph, samples: np.ndarray, names: Iterable[str], seed: int = 0) -> dict[str, float]:
    """Measures the mean square error of the logits per variance of noise in the value of each node.

    The result is the geometric mean over them, since some inputs are many times as sensitive as the typical
    one. The noise has a random sign in every element that is not 0, since a ReLU's zeros are exact. A node
    whose values are all 0 has a sensitivity of 0.

    Args:
        samples: float (count, *input shape).

    >>> from pi_bench.network.graph import InputNode, OutputNode, ScaleNode
    >>> triple = ScaleNode("s", ("x",), (2,), 3.0, 0.0)
    >>> nodes = InputNode("x", (), (2,)), triple, OutputNode("o", ("s",), (2,))
    >>> found = sensitivities(Graph(nodes, {}), np.float32([[1, -2], [3, 4]]), ["x", "s"])
    >>> round(found["x"], 2), round(found["s"], 2)
    (9.0, 1.0)
    """
    generator = np.random.default_rng(seed)
    exact = evaluate(graph, samples)
    logits = exact[graph.output.name].astype(np.float64)
    found: dict[str, float] = {}
    for name in names:
        size = _NOISE * float(np.sqrt(np.mean(np.square(exact[name], dtype=np.float64))))
        if size == 0:
            found[name] = 0.0
            continue
        signs = generator.integers(0, 2, exact[name].shape, np.int8).astype(np.float32) * 2 - 1
        noisy = exact[name] + np.float32(size) * signs * (exact[name] != 0)
        errors = _after(graph, exact, name, noisy).astype(np.float64) - logits
        of_sample = np.mean(np.square(errors).reshape(len(samples), -1), axis=1) / size**2
        found[name] = float(np.exp(np.mean(np.log(of_sample + _TINY))))
    return found


def _after(graph: Graph, exact: dict[str, np.ndarray], name: str, value: np.ndarray) -> np.ndarray:
    """Evaluates the logits with another value of one node; only nodes that depend on it are evaluated."""
    changed = {name: value}
    last = {read: node.name for node in graph.nodes for read in node.inputs}
    for node in graph.nodes:
        if node.name == name or not any(read in changed for read in node.inputs):
            continue
        changed[node.name] = apply(node, [changed.get(read, exact[read]) for read in node.inputs], graph)
        for read in node.inputs:
            if last[read] == node.name and read != graph.output.name:
                changed.pop(read, None)
    return changed[graph.output.name]
