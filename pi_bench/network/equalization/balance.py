"""Chooses the factor of each group of channels from calibrated ranges and norms of weights.

A value's channels share one fixed-point scale, and so do the weights of one output channel. A channel of
small values has few levels, and a small column of weights too. With factors s, a channel of range r has the
range s r, and the column of weights that reads it has the norm n / s. The rounding of values adds an error
in proportion to ``D = sum((s r)^2)`` and to ``N = sum((n / s)^2)``, and so does the rounding of weights. One
layer alone has the smallest ``D N`` at s = sqrt(n / r): Nagel et al., "Data-free quantization through weight
equalization and bias correction" (ICCV 2019), section 4.1, with measured ranges in place of the ranges of the
first layer's weights, as in Meller et al., "Same, same but different" (ICML 2019).

Here the product of ``D N`` of all layers is made small, so that a factor that several layers share serves all
of them. n depends on the factors of the layer's outputs, so all factors are improved together in several
sweeps, and each sweep halves the distance to the optimum.
"""

from __future__ import annotations

import numpy as np

from pi_bench.network.equalization.layers import FoldedLayer, WeightedLayer, list_layers
from pi_bench.network.equalization.sharing import Sharing

_SWEEPS = 24
_LARGEST_EXPONENT = 24
"""Factors are within 2^-24 and 2^24, so that parameters stay far from the ends of float32."""
_FLOOR = 2.0**-60
"""The least part of the largest square that counts."""


def choose_exponents(sharing: Sharing, samples: np.ndarray, input_exponents: np.ndarray) -> np.ndarray:
    """Chooses the factors of all groups, 2**exponent, int (groups,); the output's is 0.

    Powers of two change no bit of a float's mantissa, so the network stays the same to the last bit.
    `samples` are typical inputs (batch, *input shape), whose channels have the factors 2**input_exponents.

    >>> from pi_bench.network.graph import Graph, InputNode, LinearNode, OutputNode, ReluNode
    >>> layers = LinearNode("a", ("x",), (2,), "a", None), ReluNode("relu", ("a",), (2,))
    >>> nodes = InputNode("x", (), (1,)), *layers, LinearNode("b", ("relu",), (1,), "b", None)
    >>> weights = {"a": np.float32([[1], [64]]), "b": np.float32([[1, 1 / 64]])}
    >>> graph = Graph((*nodes, OutputNode("out", ("b",), (1,))), weights)
    >>> choose_exponents(Sharing(graph), np.float32([[1]]), np.zeros(1)).tolist()  # 3 and -3 for the ReLU
    [0, 0, 3, -3]
    """
    weighted, folded = list_layers(sharing, samples)
    exponents = np.zeros(sharing.count)
    exponents[sharing.channel_groups(sharing.graph.input.name)] = input_exponents
    exponents[_unread(sharing, weighted, folded)] = -_LARGEST_EXPONENT
    for _ in range(_SWEEPS):
        for affine in reversed(folded):
            _follow(affine, sharing.public, exponents)
        occupied, needed = np.zeros(sharing.count), np.zeros(sharing.count)
        for layer in weighted:
            groups, squares, norms = _parts(layer, exponents)
            occupied[groups] += squares
            needed[groups] += norms
        chosen = occupied > 0
        chosen[sharing.public] = False
        exponents[chosen] += np.log2(needed[chosen] / occupied[chosen]) / 4
        exponents = exponents.clip(-_LARGEST_EXPONENT, _LARGEST_EXPONENT)
    return np.rint(exponents).astype(np.int64)


def _unread(sharing: Sharing, weighted: list[WeightedLayer], folded: list[FoldedLayer]) -> np.ndarray:
    """Lists the groups that reach no layer, such as channels that a slice leaves out; they may vanish.

    A channel with ReLUs of a folded polynomial has the group of its input, so it reads no other group.
    """
    read = [layer.groups for layer in weighted]
    read += [affine.inputs[affine.inputs != affine.outputs] for affine in folded]
    return np.setdiff1d(np.arange(sharing.count), np.concatenate([sharing.public, *read]))


def _parts(layer: WeightedLayer, exponents: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the parts that each group of a layer's inputs has in its D and in its N."""
    scaled = layer.weights * np.exp2(exponents[layer.outputs, None] - exponents[layer.inputs])
    norms = np.bincount(layer.inputs.reshape(-1), (scaled**2).reshape(-1), len(exponents))[layer.groups]
    squares = (layer.ranges * np.exp2(exponents[layer.groups])) ** 2
    columns = layer.columns.astype(np.float64)
    return layer.groups, _shares(squares, columns), _shares(norms / columns, columns)


def _shares(sizes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Divides squares by their sum over all columns.

    A square of 0 counts as the smallest other one, so that a dead channel gets an ordinary factor.
    """
    alive = sizes[sizes > 0]
    if not alive.size:
        return np.asarray(columns / columns.sum())
    sizes = np.maximum(sizes, max(alive.min(), alive.max() * _FLOOR)) * columns
    return np.asarray(sizes / sizes.sum())


def _follow(layer: FoldedLayer, public: np.ndarray, exponents: np.ndarray) -> None:
    """Sets the slope of a folded layer to 1: it is no operator of its own, so its input's factor is free."""
    alive = layer.slopes[layer.slopes > 0]
    free = ~np.isin(layer.inputs, public)
    if alive.size:
        slopes = np.log2(np.maximum(layer.slopes, alive.min()))
        exponents[layer.inputs[free]] = (exponents[layer.outputs] + slopes)[free]
