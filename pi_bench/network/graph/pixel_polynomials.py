"""Polynomial activations of which single elements are ReLUs (AutoReP, Peng et al., ICCV 2023)."""

from __future__ import annotations

import numpy as np

from pi_bench.network.graph import Graph, PolynomialNode
from pi_bench.network.graph.polynomials import ChannelKind, ReducedPolynomials


def pixel_relus(node: PolynomialNode, graph: Graph) -> np.ndarray | None:
    """Returns the elements that are ReLUs, bool of the node's shape, or None if no channel has both kinds.

    >>> node = PolynomialNode("act", ("x",), (1, 1, 2), "coefficients", relu="relu")
    >>> pixel_relus(node, Graph((), {}, {"relu": np.array([[[True, False]]])}))
    array([[[ True, False]]])
    >>> pixel_relus(node, Graph((), {}, {"relu": np.array([True])})) is None
    True
    """
    if node.relu is None:
        return None
    mask = graph.masks[node.relu]
    flat = mask.reshape(node.shape[0], -1)
    return None if (flat == flat[:, :1]).all() else mask


def per_element(table: ReducedPolynomials, pixels: np.ndarray) -> ReducedPolynomials:
    """Writes the polynomials of channels as those of elements, of which some are ReLUs.

    Args:
        table: what `reduce_polynomials` or `spread_polynomials` gives.
        pixels: bool (channels, ...), True where the element is a ReLU.

    Returns:
        One entry per element in row-major order, for each copy of the channels. In further copies, elements
        with ReLU are absent parts.

    >>> from pi_bench.network.graph.polynomials import reduce_polynomials
    >>> reduced = reduce_polynomials(np.array([[0.0, 0.0, 4.0]]), relu=None)
    >>> elements = per_element(reduced, np.array([[True, False]]))
    >>> [ChannelKind(kind).name for kind in elements.kinds], elements.scale
    (['RELU', 'SQUARE'], array([1., 2.]))
    """
    each = pixels[0].size
    copies = len(table.kinds) // len(pixels)
    relu = np.tile(pixels.reshape(-1), copies)
    first = np.arange(relu.size) < pixels.size
    kinds = np.where(first, ChannelKind.RELU, ChannelKind.LINEAR)
    without: dict[str, np.ndarray | int] = {
        "kinds": kinds,
        "scale": first,
        "shift": 0,
        "inner": 0,
        "outer": 0,
        "gain": 1,
    }
    columns = {name: np.repeat(getattr(table, name), each) for name in without}
    chosen = {
        name: np.where(relu, without[name], column).astype(column.dtype) for name, column in columns.items()
    }
    return ReducedPolynomials(**chosen)
