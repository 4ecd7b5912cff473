"""Images of a value that hold some of its channels twice: scaled and shifted, and as they are.

An activation that has ReLU in some elements of a channel and a polynomial in the others reads the channel as
x and as z = scale x + shift. The weights that make x get an output channel for each.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pi_bench.network.compiler import sums
from pi_bench.network.compiler.sums import Expression, FloatTerm, FloatWeights
from pi_bench.network.program import ChannelMap


def whole_groups(operand: Expression, channels: np.ndarray) -> np.ndarray:
    """Adds to `channels` the others of the same groups of grouped weights, since a group is computed whole.

    >>> weights = sums.FloatWeights("w", np.ones((4, 1)), groups=2)
    >>> operand = sums.weigh(sums.of_value(0, 10, (1, 2)), (1, 4), weights, None)
    >>> whole_groups(operand, np.array([2]))
    array([2, 3])
    """
    wanted = np.zeros(operand.shape[1], np.bool_)
    wanted[channels] = True
    while True:
        before = wanted.copy()
        for term in operand.terms:
            if term.weights is not None and term.weights.groups > 1:
                groups = wanted[term.channels].reshape(term.weights.groups, -1)
                groups |= groups.any(axis=1, keepdims=True)
        if np.array_equal(wanted, before):
            return np.flatnonzero(wanted)


def with_channels(
    image: Expression, operand: Expression, channels: np.ndarray, shift: np.ndarray, name: str
) -> Expression:
    """Appends channels of `operand`, plus a shift, to an image that was made of it.

    Args:
        channels: ascending; of grouped weights, `whole_groups`.
        shift: float64, one per such channel.
        name: prefix of the names of weights that cannot be those of the image.

    >>> weights = sums.FloatWeights("w", np.array([[1.0], [2.0]]))
    >>> operand = sums.weigh(sums.of_value(0, 10, (1, 1)), (1, 2), weights, None)
    >>> image = sums.normalize(operand, np.array([5.0, 7.0]), np.zeros(2), "z")
    >>> with_channels(image, operand, np.array([1]), np.zeros(1), "x").terms[0].weights.values.tolist()
    [[5.0], [14.0], [2.0]]
    """
    first = image.shape[1]
    terms = list(image.terms)
    for position, term in enumerate(operand.terms):
        inside = (channels >= term.channels.start) & (channels < term.channels.stop)
        rows = channels[inside] - term.first_channel
        if not rows.size:
            continue
        own = _of_same_weights(image, term) if inside.all() else None
        if own is not None:
            terms[own] = _widened(terms[own], term, rows)
            continue
        part = _chosen(term, rows, f"{name}.{position}" if position else name)
        terms.append(replace(part, first_channel=first + int(np.flatnonzero(inside)[0])))
    bias = np.zeros(first + channels.size)
    if image.bias is not None:
        bias[:first] = image.bias
    if operand.bias is not None:
        bias[first:] = operand.bias[channels]
    bias[first:] += shift
    shape = (image.shape[0], first + channels.size, *image.shape[2:])
    return Expression(shape, tuple(terms), bias if bias.any() else None)


def _of_same_weights(image: Expression, term: FloatTerm) -> int | None:
    """Returns the number of the image's term with a term's weights, or None if these get no more outputs."""
    if term.weights is None or term.weights.groups > 1:
        return None
    for number, other in enumerate(image.terms):
        same = other.weights is not None and other.weights.name == term.weights.name
        if same and other.shape == image.shape:
            return number
    return None


def _widened(term: FloatTerm, source: FloatTerm, rows: np.ndarray) -> FloatTerm:
    """Appends outputs of the weights of `source` to those of `term`."""
    assert term.weights is not None
    assert source.weights is not None
    values = np.concatenate([term.weights.values, source.weights.values[rows]])
    shape = (term.shape[0], len(values), *term.shape[2:])
    return replace(term, shape=shape, weights=replace(term.weights, values=values))


def _chosen(term: FloatTerm, rows: np.ndarray, name: str) -> FloatTerm:
    """Returns a term of some channels of `term`. A factor other than 1 becomes weights, which round less."""
    shape = (term.shape[0], rows.size, *term.shape[2:])
    weights = term.weights
    if weights is not None:
        chosen = FloatWeights(
            name, weights.values[rows], weights.stride, weights.padding, weights.dilation, weights.groups
        )
        if weights.groups == 1:
            return replace(term, shape=shape, weights=chosen)
        outs, ins = len(weights.values) // weights.groups, weights.values.shape[1]
        groups = np.unique(rows // outs)
        read = (groups[:, None] * ins + np.arange(ins)).reshape(-1)
        term = _read(term, read, term.local_shape[1])
        return replace(term, shape=shape, weights=replace(chosen, groups=groups.size))
    part = replace(_read(term, rows, term.shape[1]), shape=shape)
    if part.factor == 1:
        return part
    unplaced = Expression(shape, (replace(part, first_channel=0),))
    return sums.normalize(unplaced, np.ones(rows.size), np.zeros(rows.size), name).terms[0]


def _read(term: FloatTerm, channels: np.ndarray, count: int) -> FloatTerm:
    """Lets the term read some of the `count` channels that its local operators give."""
    if channels.size == count:
        return term
    shape = (term.local_shape[0], channels.size, *term.local_shape[2:])
    local = (*term.local, ChannelMap(tuple(channels.tolist())))
    return replace(term, local=local, local_shape=shape)
