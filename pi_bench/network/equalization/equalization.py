"""Equalization: a graph of the same function whose channels have balanced ranges.

A value has one fixed-point scale, and so has an output channel of weights. Where one channel is 1000 times as
large as another, which the next layer compensates for, the small one is left with a few levels. Positive
factors that move between a layer and its readers through ReLUs change nothing in float and balance both.

The factors are powers of two, so the function stays the same to the last bit. They become part of the weights
and biases. `equalization.sharing` finds the elements whose factors must be equal, `equalization.balance`
chooses the factors, and `equalization.rescaling` applies them.
"""

from __future__ import annotations

import numpy as np

from pi_bench.network.equalization.balance import choose_exponents
from pi_bench.network.equalization.input_factors import input_exponents
from pi_bench.network.equalization.rescaling import rescale
from pi_bench.network.equalization.sharing import Sharing
from pi_bench.network.graph import Graph

_MAX_SAMPLES = 128
"""Ranges of channels need fewer samples than the ranges of values that `calibrate` measures afterwards."""


def equalize(graph: Graph, samples: np.ndarray) -> Graph:
    """Makes a graph of the same function with balanced channels; its values have other ranges.

    The result is not calibrated. It depends on the graph and the samples alone. Names, shapes and operators
    stay; the input may get public factors of its channels, which depend on the samples alone.

    Args:
        samples: typical inputs, float (batch, *input shape).

    >>> from pi_bench.network.graph import InputNode, LinearNode, OutputNode, ReluNode
    >>> layers = LinearNode("a", ("x",), (2,), "a", None), ReluNode("relu", ("a",), (2,))
    >>> nodes = InputNode("x", (), (1,)), *layers, LinearNode("b", ("relu",), (1,), "b", None)
    >>> weights = {"a": np.float32([[1], [64]]), "b": np.float32([[1, 1 / 64]])}
    >>> graph = Graph((*nodes, OutputNode("out", ("b",), (1,))), weights)
    >>> equalized = equalize(graph, np.float32([[1]]))
    >>> equalized.parameters["a"].tolist(), equalized.parameters["b"].tolist()
    ([[8.0], [8.0]], [[0.125, 0.125]])
    """
    sharing = Sharing(graph)
    exponents = choose_exponents(sharing, samples[:_MAX_SAMPLES], input_exponents(sharing, samples))
    return rescale(sharing, exponents)
