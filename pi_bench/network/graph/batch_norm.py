"""A batch normalization in inference as one gain and one shift a channel."""

from __future__ import annotations

import numpy as np

from pi_bench.network.graph import BatchNormNode, Graph


def gain_and_shift(node: BatchNormNode, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """``gain * x + shift`` is the node's value; float64 (channels,) each."""
    parameters = graph.parameters
    gain = 1 / np.sqrt(parameters[node.variance].astype(np.float64) + node.epsilon)
    if node.weight is not None:
        gain = gain * parameters[node.weight]
    shift = -parameters[node.mean] * gain
    if node.bias is not None:
        shift = shift + parameters[node.bias]
    return gain, shift
