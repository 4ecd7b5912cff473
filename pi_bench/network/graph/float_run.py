"""Evaluates a float graph in numpy: calibration, and the float answer that a private one is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pi_bench.errors import InputError, ModelError
from pi_bench.network.graph import Graph, InputNode, Node, PolynomialNode, operator_name, range_names
from pi_bench.network.graph.float_operators import apply
from pi_bench.network.graph.polynomials import inside_values, reduced_node, spread_node

_CHUNK_BYTES = 64_000_000


def evaluate(graph: Graph, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Every node's value, float32 (batch, *shape), for `inputs` (batch, *input shape).

    Holds all of them at once; `calibrate` and `outputs` go through large batches in chunks.

    Raises:
        InputError: inputs of another shape.
    """
    if inputs.shape[1:] != tuple(graph.input.shape) or inputs.shape[0] < 1:
        raise InputError(f"the network takes (batch, {_listed(graph.input.shape)}), not {inputs.shape}")
    values: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        if isinstance(node, InputNode):
            values[node.name] = inputs.astype(np.float32, copy=False)
        else:
            values[node.name] = apply(node, [values[name] for name in node.inputs], graph)
    return values


def outputs(graph: Graph, inputs: np.ndarray) -> np.ndarray:
    """The output alone, float32 (batch, *output shape)."""
    return np.concatenate([evaluate(graph, part)[graph.output.name] for part in _chunks(graph, inputs)])


def calibrate(graph: Graph, inputs: np.ndarray, percentile: float = 100.0) -> dict[str, float]:
    """What `Graph.ranges` holds: the percentile over the samples of the largest |value| of each node, and of
    the values inside polynomial activations.

    100 is the largest of all. Less leaves out the samples with the largest values, for finer scales; of the
    input it is always the largest, as a client refuses what is beyond.

    Raises:
        ModelError: a value overflows float32 or is NaN, naming the node.
    """
    largest: dict[str, list[np.ndarray]] = {}
    for part in _chunks(graph, inputs):
        with np.errstate(over="ignore", invalid="ignore"):
            values = evaluate(graph, part)
            for node in graph.nodes:
                for name, value in _ranged(graph, node, values):
                    of_sample = np.abs(value).reshape(len(part), -1).max(axis=1, initial=0.0)
                    if not np.isfinite(of_sample).all():
                        kind = operator_name(node)
                        raise ModelError(f"{kind} {node.name!r} makes NaN or infinity in calibration")
                    largest.setdefault(name, []).append(of_sample)
    shares = {graph.input.name: 100.0}
    return {
        name: float(np.percentile(np.concatenate(parts), shares.get(name, percentile)))
        for name, parts in largest.items()
    }


def _ranged(graph: Graph, node: Node, values: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """What has a calibrated range: a node's value, and the values inside a polynomial activation."""
    yield node.name, values[node.name]
    if isinstance(node, PolynomialNode):
        x, spread = values[node.inputs[0]], spread_node(node, graph)
        copies = np.concatenate([x] * (len(spread.kinds) // x.shape[1]), axis=1)
        apart = {f"spread {what}": value for what, value in inside_values(spread, copies).items()}
        inside = inside_values(reduced_node(node, graph), x) | apart
        yield from ((name, inside[what]) for what, name in range_names(node).items())


def _chunks(graph: Graph, inputs: np.ndarray) -> Iterator[np.ndarray]:
    sample_bytes = 4 * sum(math.prod(node.shape) for node in graph.nodes)
    step = max(1, _CHUNK_BYTES // max(1, sample_bytes))
    for start in range(0, max(1, len(inputs)), step):
        yield inputs[start : start + step]


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
