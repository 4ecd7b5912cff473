"""Evaluates a float graph in numpy, for calibration and as the reference of private answers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pi_bench.errors import InputError, ModelError
from pi_bench.network.graph import Graph, InputNode, Node, PolynomialNode, operator_name, range_names
from pi_bench.network.graph.float_operators import apply
from pi_bench.network.graph.pixel_polynomials import per_element, pixel_relus
from pi_bench.network.graph.polynomials import inside_values, reduced_node, spread_node

_CHUNK_BYTES = 64_000_000


def evaluate(graph: Graph, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the value of every node, float32 (batch, *shape), for `inputs` (batch, *input shape).

    All values are held at once; `calibrate` and `outputs` go through large batches in chunks.

    Raises:
        InputError: the inputs have another shape.

    >>> from pi_bench.network.graph import OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> evaluate(Graph(nodes, {}), np.float32([[-1, 2]]))["relu"].tolist()
    [[0.0, 2.0]]
    """
    if inputs.shape[1:] != tuple(graph.input.shape) or inputs.shape[0] < 1:
        raise InputError(f"the network takes (batch, {_listed(graph.input.shape)}), not {inputs.shape}")
    values: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        if isinstance(node, InputNode):
            values[node.name] = _scaled(node, inputs.astype(np.float32, copy=False))
        else:
            values[node.name] = apply(node, [values[name] for name in node.inputs], graph)
    return values


def _scaled(node: InputNode, inputs: np.ndarray) -> np.ndarray:
    if node.channel_bits is None:
        return inputs
    bits = np.array(node.channel_bits).reshape(-1, *(1,) * (inputs.ndim - 2))
    scaled: np.ndarray = np.ldexp(inputs, bits)
    return scaled


def chunks(graph: Graph, inputs: np.ndarray) -> Iterator[np.ndarray]:
    """Yields `inputs` (batch, *input shape) in parts for which `evaluate` takes a bounded amount of memory.

    >>> from pi_bench.network.graph import OutputNode
    >>> nodes = InputNode("x", (), (1_000_000,)), OutputNode("o", ("x",), (1_000_000,))
    >>> [len(part) for part in chunks(Graph(nodes, {}), np.zeros((20, 1_000_000), np.uint8))]
    [8, 8, 4]
    """
    sample_bytes = 4 * sum(math.prod(node.shape) for node in graph.nodes)
    step = max(1, _CHUNK_BYTES // max(1, sample_bytes))
    for start in range(0, max(1, len(inputs)), step):
        yield inputs[start : start + step]


def outputs(graph: Graph, inputs: np.ndarray) -> np.ndarray:
    """Computes the output alone, float32 (batch, *output shape), for `inputs` (batch, *input shape).

    Raises:
        InputError: the inputs have another shape.

    >>> from pi_bench.network.graph import OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> outputs(Graph(nodes, {}), np.float32([[-1, 2], [3, -4]])).tolist()
    [[0.0, 2.0], [3.0, 0.0]]
    """
    return np.concatenate([evaluate(graph, part)[graph.output.name] for part in chunks(graph, inputs)])


def calibrate(graph: Graph, inputs: np.ndarray, percentile: float = 100.0) -> dict[str, float]:
    """Measures `Graph.ranges` on `inputs` (batch, *input shape).

    The range of a value is the percentile over the samples of its largest magnitude; values inside polynomial
    activations have ranges too. A percentile of 100 takes the largest of all. A smaller one leaves out the
    samples with the largest values, for finer scales. The input always has its largest magnitude, since a
    client refuses inputs beyond it.

    Raises:
        InputError: the inputs have another shape.
        ModelError: a value overflows float32 or is NaN; the message names the node.

    >>> from pi_bench.network.graph import OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> calibrate(Graph(nodes, {}), np.float32([[-3, 2], [1, -1]]))
    {'x': 3.0, 'relu': 2.0, 'o': 2.0}
    """
    largest: dict[str, list[np.ndarray]] = {}
    for part in chunks(graph, inputs):
        with np.errstate(over="ignore", invalid="ignore"):
            values = evaluate(graph, part)
            for node in graph.nodes:
                for name, value in _ranged(graph, node, values):
                    of_sample = np.abs(value).reshape(len(part), -1).max(axis=1, initial=0.0)
                    if not np.isfinite(of_sample).all():
                        kind = operator_name(node)
                        raise ModelError(f"{kind} {node.name!r} makes NaN or infinity in calibration")
                    largest.setdefault(name, []).append(of_sample)
    percentiles = {graph.input.name: 100.0}
    return {
        name: float(np.percentile(np.concatenate(parts), percentiles.get(name, percentile)))
        for name, parts in largest.items()
    }


def _ranged(graph: Graph, node: Node, values: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields all values with a calibrated range: the node's value and those inside a polynomial
    activation."""
    yield node.name, values[node.name]
    if isinstance(node, PolynomialNode):
        x, reduced, spread = values[node.inputs[0]], reduced_node(node, graph), spread_node(node, graph)
        pixels = pixel_relus(node, graph)
        if pixels is not None:
            x = x.reshape(len(x), -1)
            reduced, spread = (per_element(table, pixels) for table in (reduced, spread))
        copies = np.concatenate([x] * (len(spread.kinds) // x.shape[1]), axis=1)
        apart = {f"spread {what}": value for what, value in inside_values(spread, copies).items()}
        inside = inside_values(reduced, x) | apart
        yield from ((name, inside[what]) for what, name in range_names(node).items())


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
