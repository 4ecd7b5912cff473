"""Evaluates a float graph in numpy: calibration, and the float answer that a private one is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pi_bench.errors import InputError, ModelError
from pi_bench.network.graph import Graph, InputNode, operator_name
from pi_bench.network.graph.float_operators import apply

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
    """What `Graph.ranges` holds: of each node, the percentile over the samples of their largest |value|.

    100 is the largest of all. Less leaves out the samples with the largest values, for finer scales; of the
    input it is always the largest, as a client refuses what is beyond.

    Raises:
        ModelError: a value overflows float32 or is NaN, naming the node.
    """
    largest: dict[str, list[np.ndarray]] = {node.name: [] for node in graph.nodes}
    for part in _chunks(graph, inputs):
        with np.errstate(over="ignore", invalid="ignore"):
            values = evaluate(graph, part)
        for node in graph.nodes:
            of_sample = np.abs(values[node.name]).reshape(len(part), -1).max(axis=1)
            if not np.isfinite(of_sample).all():
                raise ModelError(f"{operator_name(node)} {node.name!r} makes NaN or infinity in calibration")
            largest[node.name].append(of_sample)
    ranges = {}
    for node in graph.nodes:
        share = 100.0 if isinstance(node, InputNode) else percentile
        ranges[node.name] = float(np.percentile(np.concatenate(largest[node.name]), share))
    return ranges


def _chunks(graph: Graph, inputs: np.ndarray) -> Iterator[np.ndarray]:
    sample_bytes = 4 * sum(math.prod(node.shape) for node in graph.nodes)
    step = max(1, _CHUNK_BYTES // max(1, sample_bytes))
    for start in range(0, max(1, len(inputs)), step):
        yield inputs[start : start + step]


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
