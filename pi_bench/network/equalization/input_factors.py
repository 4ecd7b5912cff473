"""Chooses the public factors of a network's input, so that features of small ranges have as many levels too.

The client applies them to its own input before it shares it. They depend on calibrated ranges of the inputs
alone and never on weights, since both parties know them.
"""

from __future__ import annotations

import numpy as np

from pi_bench.network.equalization.sharing import FIXED, Sharing

_SLACK_BITS = 1
"""A feature may be this many bits larger than it was in calibration before it exceeds the largest feature."""
_LARGEST_BITS = 16


def input_exponents(sharing: Sharing, samples: np.ndarray) -> np.ndarray:
    """Chooses factors 2**exponent of an input's channels or features: int (channels,), at least 0.

    A channel of more than a quarter of the largest range has 0. So images have no factors, as a rule. A
    channel that is 0 in all `samples` has the median of the others.

    >>> from pi_bench.network.graph import Graph, InputNode, LinearNode, OutputNode
    >>> layer = LinearNode("a", ("x",), (1,), "w", None)
    >>> nodes = InputNode("x", (), (4,)), layer, OutputNode("o", ("a",), (1,))
    >>> sharing = Sharing(Graph(nodes, {"w": np.ones((1, 4))}))
    >>> input_exponents(sharing, np.float32([[1, 1000, 300, 0], [-1, 0, 0, 0]])).tolist()
    [8, 0, 0, 0]
    """
    ranges = np.abs(samples).max(axis=0)
    ranges = ranges.reshape(len(ranges), -1).max(axis=1).astype(np.float64)
    alive = ranges > 0
    exponents = np.zeros(len(ranges), np.int64)
    if alive.any():
        bits = np.floor(np.log2(ranges.max() / ranges[alive])) - _SLACK_BITS
        exponents[alive] = bits.clip(0, _LARGEST_BITS)
        exponents[~alive] = np.median(exponents[alive])
    groups = sharing.channel_groups(sharing.graph.input.name)
    of_groups = np.full(sharing.count, _LARGEST_BITS)
    np.minimum.at(of_groups, groups, exponents)
    of_groups[FIXED] = 0
    return np.asarray(of_groups[groups])
