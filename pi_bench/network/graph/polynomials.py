"""Polynomial activations of degree 2 and 3 as squares and products of one affine image of their input.

DELPHI (Mishra et al., USENIX Security 2020) replaces ReLUs by quadratics, SAFENet (Lou et al., ICLR 2021)
mixes ReLUs with polynomials of degree 2 and 3 channel by channel. Every such polynomial is, with
z = scale * x + shift,

    degree 2    a x^2 + b x + c          =  gain * (z^2 + outer)
    degree 3    a x^3 + b x^2 + c x + d  =  z (z^2 + inner) + outer

where scale and shift fold into the linear operator that makes x, and inner and outer are added to the
server's shares (`reduce_polynomials`): so the coefficients stay with the weights, and only squares and
products remain to be computed. gain, 1 or -1, is public: the sign of a, which shares are multiplied by.

A small a beside a large b makes z^2 and outer large beside their sum. Powers of images of their own do not
cancel (`spread_polynomials`), at twice or three times the channels of the linear operator:

    degree 2    gain z^2 + b x + c               z = sqrt(|a|) x
    degree 3    z^3 + gain w^2 + c x + d         z = cbrt(a) x, w = sqrt(|b|) x
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from pi_bench.network.graph import Graph, PolynomialNode


class ChannelKind(enum.IntEnum):
    """What a channel's activation is; the value of a polynomial's kind is its degree."""

    RELU = 0
    LINEAR = 1
    SQUARE = 2
    CUBE = 3


@dataclass(frozen=True, slots=True, eq=False)
class ReducedPolynomials:
    """One entry a channel, float64 (channels,) but for `kinds`. ReLU channels: z = x, gain 1.

    Linear channels: z = b x + c is the value itself.
    """

    kinds: np.ndarray  # int8
    scale: np.ndarray
    shift: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    gain: np.ndarray

    def channels(self, *kinds: ChannelKind) -> np.ndarray:
        """Ascending numbers of the channels of these kinds."""
        return np.flatnonzero(np.isin(self.kinds, kinds))

    @property
    def is_monic(self) -> bool:
        """z is x itself: nothing is folded before."""
        return bool(np.all(self.scale == 1) and not self.shift.any())


def reduce_polynomials(coefficients: np.ndarray, relu: np.ndarray | None) -> ReducedPolynomials:
    """From coefficients float (channels, degree + 1), the constant first, degree at most 3.

    relu: bool (channels,), True where the channel is a ReLU (its coefficients do not count); None: nowhere.
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
    """Two or three channels for one, whose values add up to it: all first ones, then all second ones, ...

    First the highest power with the constant, and ReLU and linear channels; then what is linear beside a
    power; then, if any channel is cubic, squares beside cubes. No shift, no inner; what is not there is a
    linear channel of scale 0.
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
    """The activation itself, float32 like x (batch, channels, ...)."""
    column = (-1,) + (1,) * (x.ndim - 2)
    y = np.zeros_like(x)
    for coefficient in coefficients.T[::-1]:
        y = y * x + coefficient.astype(np.float32).reshape(column)
    return y if relu is None else np.where(relu.reshape(column), np.maximum(x, np.float32(0)), y)


def spread_node(node: PolynomialNode, graph: Graph) -> ReducedPolynomials:
    """The polynomials of a node of a graph, powers apart."""
    relu = None if node.relu is None else graph.masks[node.relu]
    return spread_polynomials(graph.parameters[node.coefficients].astype(np.float64), relu)


def reduced_node(node: PolynomialNode, graph: Graph) -> ReducedPolynomials:
    """The polynomials of a node of a graph."""
    relu = None if node.relu is None else graph.masks[node.relu]
    return reduce_polynomials(graph.parameters[node.coefficients].astype(np.float64), relu)


def inside_values(reduced: ReducedPolynomials, x: np.ndarray) -> dict[str, np.ndarray]:
    """What a party's fixed point must hold, float64, from x (batch, channels, ...).

    scaled: z of every channel (of ReLU channels x, of linear ones the value). root: z of the squares and
    cubes. inner: z^2 + inner of the cubes. cube: z times that. joined: what the last activation of each
    channel reads: z of ReLU and linear channels, of the others the polynomial's value up to its sign.
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
