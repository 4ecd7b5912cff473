"""Evaluates a float graph in numpy: calibration, and the float answer that a private one is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pi_bench.errors import InputError, ModelError
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    BatchNormNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    Node,
    Pair,
    ReluNode,
    operator_name,
)

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
            values[node.name] = _apply(node, [values[name] for name in node.inputs], graph)
    return values


def outputs(graph: Graph, inputs: np.ndarray) -> np.ndarray:
    """The output alone, float32 (batch, *output shape)."""
    return np.concatenate([evaluate(graph, part)[graph.output.name] for part in _chunks(graph, inputs)])


def calibrate(graph: Graph, inputs: np.ndarray) -> dict[str, float]:
    """Largest |value| of each node over `inputs`: what `Graph.ranges` holds.

    Raises:
        ModelError: a value overflows float32 or is NaN, naming the node.
    """
    ranges = {node.name: 0.0 for node in graph.nodes}
    for part in _chunks(graph, inputs):
        with np.errstate(over="ignore", invalid="ignore"):
            values = evaluate(graph, part)
        for node in graph.nodes:
            largest = float(np.abs(values[node.name]).max())
            if not math.isfinite(largest):
                raise ModelError(f"{operator_name(node)} {node.name!r} makes NaN or infinity in calibration")
            ranges[node.name] = max(ranges[node.name], largest)
    return ranges


def _chunks(graph: Graph, inputs: np.ndarray) -> Iterator[np.ndarray]:
    sample_bytes = 4 * sum(math.prod(node.shape) for node in graph.nodes)
    step = max(1, _CHUNK_BYTES // max(1, sample_bytes))
    for start in range(0, max(1, len(inputs)), step):
        yield inputs[start : start + step]


def _apply(node: Node, inputs: list[np.ndarray], graph: Graph) -> np.ndarray:
    x = out = inputs[0]
    parameters = graph.parameters
    if isinstance(node, ConvNode):
        out = _convolve(x, parameters[node.weight], node.stride, node.padding)
        if node.bias is not None:
            out += parameters[node.bias][:, None, None]
    elif isinstance(node, LinearNode):
        out = x @ parameters[node.weight].T
        if node.bias is not None:
            out += parameters[node.bias]
    elif isinstance(node, BatchNormNode):
        out = _normalize(node, x, graph)
    elif isinstance(node, ReluNode):
        out = np.maximum(x, np.float32(0))
        if node.mask is not None:
            out = np.where(graph.masks[node.mask], out, x)
    elif isinstance(node, AddNode):
        out = x + inputs[1]
    elif isinstance(node, AvgPoolNode):
        windows = _windows(x, node.kernel, node.stride, node.padding)
        out = windows.mean(axis=(4, 5), dtype=np.float32)
    elif isinstance(node, FlattenNode):
        out = x.reshape(len(x), -1)
    return out


def _normalize(node: BatchNormNode, x: np.ndarray, graph: Graph) -> np.ndarray:
    parameters = graph.parameters
    gain = 1 / np.sqrt(parameters[node.variance].astype(np.float64) + node.epsilon)
    if node.weight is not None:
        gain = gain * parameters[node.weight]
    shift = -parameters[node.mean] * gain
    if node.bias is not None:
        shift = shift + parameters[node.bias]
    column = (-1,) + (1,) * (x.ndim - 2)
    return x * gain.astype(np.float32).reshape(column) + shift.astype(np.float32).reshape(column)


def _windows(x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    rows, columns = padding
    padded = np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns))) if rows or columns else x
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1]]  # (n, c, oh, ow, kh, kw)


def _convolve(x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair) -> np.ndarray:
    out_channels, in_channels, kh, kw = weight.shape
    windows = _windows(x, (kh, kw), stride, padding)
    count, _, rows, columns = windows.shape[:4]
    matrix = weight.reshape(out_channels, -1)
    out = np.empty((count, out_channels, rows, columns), np.float32)
    unrolled = np.empty((in_channels, kh, kw, rows, columns), np.float32)
    for sample in range(count):  # one sample's windows at a time bounds the memory
        for i in range(kh):
            for j in range(kw):
                unrolled[:, i, j] = windows[sample, :, :, :, i, j]
        out[sample] = (matrix @ unrolled.reshape(-1, rows * columns)).reshape(out_channels, rows, columns)
    return out


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
