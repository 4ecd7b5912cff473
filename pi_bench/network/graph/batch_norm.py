"""Writes a batch normalization in inference as one gain and one shift per channel."""

from __future__ import annotations

import numpy as np

from pi_bench.network.graph import BatchNormNode, Graph


def gain_and_shift(node: BatchNormNode, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Computes the gain and the shift of a batch normalization, float64 (channels,) each.

    The node's value is ``gain * x + shift``.

    >>> parameters = {"mean": np.float32([1.0]), "variance": np.float32([4.0])}
    >>> node = BatchNormNode("bn", ("x",), (1,), None, None, "mean", "variance", epsilon=0.0)
    >>> gain_and_shift(node, Graph((), parameters))
    (array([0.5]), array([-0.5]))
    """
    parameters = graph.parameters
    gain = 1 / np.sqrt(parameters[node.variance].astype(np.float64) + node.epsilon)
    if node.weight is not None:
        gain = gain * parameters[node.weight]
    shift = -parameters[node.mean] * gain
    if node.bias is not None:
        shift = shift + parameters[node.bias]
    return gain, shift
