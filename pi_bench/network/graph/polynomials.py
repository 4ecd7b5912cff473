"""Polynomial activations of degree 2 and 3 as squares and products of one affine image of their input.

DELPHI (Mishra et al., USENIX Security 2020) replaces ReLUs by quadratics, SAFENet (Lou et al., ICLR 2021)
mixes ReLUs with polynomials of degree 2 and 3 channel by channel. Every such polynomial is, with
z = scale * x + shift,

    degree 2    a x^2 + b x + c          =  gain * (z^2 + outer)
    degree 3    a x^3 + b x^2 + c x + d  =  z (z^2 + inner) + outer

where scale and shift fold into the linear operator that makes x, and inner and outer are added to the
server's shares (`reduce_polynomials`): so the coefficients stay with the weights, and only squares and
products remain to be computed. gain, 1 or -1, is public: the sign of a, which shares are multiplied by.

A small a with a large b makes z^2 and outer large compared with their sum. Powers of images of their own do
not cancel (`spread_polynomials`), at twice or three times the channels of the linear operator:

    degree 2    gain z^2 + b x + c               z = sqrt(|a|) x
    degree 3    z^3 + gain w^2 + c x + d         z = cbrt(a) x, w = sqrt(|b|) x

A mask may give single elements of a channel ReLU (AutoReP, Peng et al., ICCV 2023). Then these tables hold
the polynomials of the channels, and `graph.pixel_polynomials` the parts of every element.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from pi_bench.network.graph import Graph, PolynomialNode


class ChannelKind(enum.IntEnum):
    """The kind of a channel's activation. A linear function, a square and a cube have their degree as value.

    >>> ChannelKind.CUBE.value
    3
    """

    RELU = 0
    LINEAR = 1
    SQUARE = 2
    CUBE = 3


@dataclass(frozen=True, slots=True, eq=False)
class ReducedPolynomials:
    """The polynomials of all channels in terms of z = scale * x + shift, as in the formulas of this module.

    Arrays have one entry per channel, float64 but for `kinds` (int8). ReLU channels have z = x and gain 1.
    The value of a linear channel is z = b x + c itself.

    >>> reduced = reduce_polynomials(np.array([[3.0, 4.0, 1.0]]), relu=None)  # x^2 + 4 x + 3
    >>> reduced.shift, reduced.outer  # (x + 2)^2 - 1
    (array([2.]), array([-1.]))
    """

    kinds: np.ndarray  # int8
    scale: np.ndarray
    shift: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    gain: np.ndarray

    def channels(self, *kinds: ChannelKind) -> np.ndarray:
        """Returns the numbers of the channels of these kinds, in ascending order."""
        return np.flatnonzero(np.isin(self.kinds, kinds))

    @property
    def is_monic(self) -> bool:
        """True if z is x itself, so that nothing is folded into the layer before."""
        return bool(np.all(self.scale == 1) and not self.shift.any())


def reduce_polynomials(coefficients: np.ndarray, relu: np.ndarray | None) -> ReducedPolynomials:
    """Writes polynomials as squares and products of one affine image of their input.

    Args:
        coefficients: float (channels, degree + 1), the constant first, degree at most 3.
        relu: bool (channels,), True where the channel is a ReLU (its coefficients do not count); None:
            nowhere.

    >>> reduced = reduce_polynomials(np.array([[0.0, 0.0, -4.0], [1.0, 2.0, 0.0]]), relu=None)
    >>> [ChannelKind(kind).name for kind in reduced.kinds], reduced.scale, reduced.gain
    (['SQUARE', 'LINEAR'], array([2., 2.]), array([-1.,  1.]))
    """
    table = np.zeros((len(coefficients), 4))
    table[:, : coefficients.shape[1]] = coefficients
    if relu is not None:
        table[relu] = 0.0
    channels = len(table)
    kinds = np.full(channels, ChannelKind.LINEAR, np.int8)
    scale, shift, inner, outer = (
        table[:, 1].copy(),
        table[:, 0].copy(),
        np.zeros(channels),
        np.zeros(channels),
    )
    gain = np.ones(channels)

    square = (table[:, 3] == 0) & (table[:, 2] != 0)
    c, b, a, _ = table[square].T
    sign, root = np.sign(a), np.sqrt(np.abs(a))
    kinds[square], gain[square] = ChannelKind.SQUARE, sign
    scale[square], shift[square] = root, sign * b / (2 * root)
    outer[square] = sign * c - shift[square] ** 2

    cube = table[:, 3] != 0
    d, c, b, a = table[cube].T
    root = np.cbrt(a)
    middle = b / (3 * root**2)
    kinds[cube], scale[cube], shift[cube] = ChannelKind.CUBE, root, middle
    inner[cube] = c / root - 3 * middle**2
    outer[cube] = d - middle**3 - inner[cube] * middle

    if relu is not None:
        kinds[relu], scale[relu] = ChannelKind.RELU, 1.0
    return ReducedPolynomials(kinds, scale, shift, inner, outer, gain)


def spread_polynomials(coefficients: np.ndarray, relu: np.ndarray | None) -> ReducedPolynomials:
    """Writes each polynomial as two or three channels whose values add up to it.

    All first channels come first, then all second ones, and so on. The first channel has the highest power
    with the constant, or the ReLU, or the linear activation. The second has the linear part of a power. If
    any channel is cubic, the third has the square of a cube. There is no shift and no inner; an absent part
    is a linear channel of scale 0. Arguments as in `reduce_polynomials`.

    >>> spread = spread_polynomials(np.array([[3.0, 4.0, 1.0]]), relu=None)  # (x^2 + 3) + 4 x
    >>> [ChannelKind(kind).name for kind in spread.kinds], spread.outer, spread.scale
    (['SQUARE', 'LINEAR'], array([3., 0.]), array([1., 4.]))
    """
    table = np.zeros((len(coefficients), 4))
    table[:, : coefficients.shape[1]] = coefficients
    if relu is not None:
        table[relu] = 0.0
    cubic = table[:, 3] != 0
    powers = cubic | (table[:, 2] != 0)
    first, linear, squares = table.copy(), np.zeros_like(table), np.zeros_like(table)
    first[powers, 1] = first[cubic, 2] = 0.0
    first[~powers, 0] = 0.0
    linear[powers, 1] = table[powers, 1]
    squares[cubic, 2] = table[cubic, 2]
    copies = [first, linear, squares] if cubic.any() else [first, linear]
    mask = np.zeros(len(copies) * len(table), np.bool_)
    if relu is not None:
        mask[: len(table)] = relu
    spread = reduce_polynomials(np.concatenate(copies), mask)
    spread.outer[: len(table)][~powers] = table[~powers, 0]
    return spread


def evaluate_polynomials(coefficients: np.ndarray, relu: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    """Evaluates the activation itself, float32 of the shape of x (batch, channels, ...).

    `relu` is bool of the channels, (channels,), or of the elements, (channels, ...).

    >>> evaluate_polynomials(np.array([[3.0, 4.0, 1.0]]), None, np.float32([[2]])).tolist()
    [[15.0]]
    """
    column = (-1,) + (1,) * (x.ndim - 2)
    y = np.zeros_like(x)
    for coefficient in coefficients.T[::-1]:
        y = y * x + coefficient.astype(np.float32).reshape(column)
    if relu is None:
        return y
    return np.where(
        relu if relu.ndim == x.ndim - 1 else relu.reshape(column), np.maximum(x, np.float32(0)), y
    )


def channel_relus(node: PolynomialNode, graph: Graph) -> np.ndarray | None:
    """Returns the channels that are ReLUs as a whole, bool (channels,), or None without a mask.

    >>> node = PolynomialNode("act", ("x",), (1, 1, 2), "coefficients", relu="relu")
    >>> channel_relus(node, Graph((), {}, {"relu": np.array([[[True, False]]])}))
    array([False])
    """
    if node.relu is None:
        return None
    whole = graph.masks[node.relu].reshape(node.shape[0], -1)
    return np.asarray(whole.all(axis=1))


def spread_node(node: PolynomialNode, graph: Graph) -> ReducedPolynomials:
    """Applies `spread_polynomials` to the coefficients of a node of a graph. A channel is a ReLU as a whole.

    >>> node = PolynomialNode("act", ("x",), (1,), "coefficients")
    >>> graph = Graph((), {"coefficients": np.float32([[3, 4, 1]])})
    >>> len(spread_node(node, graph).kinds)
    2
    """
    return spread_polynomials(
        graph.parameters[node.coefficients].astype(np.float64), channel_relus(node, graph)
    )


def reduced_node(node: PolynomialNode, graph: Graph) -> ReducedPolynomials:
    """Applies `reduce_polynomials` to the coefficients of a node of a graph. A channel is a ReLU as a whole.

    >>> node = PolynomialNode("act", ("x",), (1,), "coefficients")
    >>> graph = Graph((), {"coefficients": np.float32([[3, 4, 1]])})
    >>> reduced_node(node, graph).shift
    array([2.])
    """
    return reduce_polynomials(
        graph.parameters[node.coefficients].astype(np.float64), channel_relus(node, graph)
    )


def inside_values(reduced: ReducedPolynomials, x: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the values that a party's fixed point must hold, float64, from x (batch, channels, ...).

    scaled: z of every channel (x of ReLU channels, the value of linear ones).
    root: z of the squares and cubes.
    inner: z^2 + inner of the cubes.
    cube: z times that.
    joined: the input of the last activation of each channel. It is z of ReLU and linear channels, and the
        polynomial's value up to its sign of the others.

    >>> reduced = reduce_polynomials(np.array([[3.0, 4.0, 1.0]]), relu=None)
    >>> inside_values(reduced, np.float32([[2]]))["joined"]
    array([[15.]])
    """
    column = (-1,) + (1,) * (x.ndim - 2)
    z = x.astype(np.float64) * reduced.scale.reshape(column) + reduced.shift.reshape(column)
    squares, cubes = reduced.channels(ChannelKind.SQUARE), reduced.channels(ChannelKind.CUBE)
    inner = z[:, cubes] ** 2 + reduced.inner[cubes].reshape(column)
    joined = z.copy()
    joined[:, squares] = z[:, squares] ** 2 + reduced.outer[squares].reshape(column)
    cube = z[:, cubes] * inner
    joined[:, cubes] = cube + reduced.outer[cubes].reshape(column)
    root = z[:, reduced.channels(ChannelKind.SQUARE, ChannelKind.CUBE)]
    return {"scaled": z, "root": root, "inner": inner, "cube": cube, "joined": joined}
