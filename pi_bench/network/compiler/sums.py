"""Sums of linear terms: the compiler's form of float nodes before scales are chosen.

An expression is ``sum(term) + bias``; a term is ``factor * weights * local(source)`` of one earlier value,
at a place among the channels. Batch normalization folds into weights, or becomes weights of its own (one per
channel) where a term has none, so that its numbers stay secret. The divisors of average pools and other
public factors fold into weights, or stay public multipliers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pi_bench.network.program import LocalOp, Pad, Reshape, Shape

NO_PADDING = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class FloatWeights:
    """Weights before quantization; `stride`, `padding`, `dilation` and `groups` are those of a convolution.

    Attributes:
        values: float64 (out, in / groups, kh, kw) or (out, in / groups).

    >>> FloatWeights("head.weight", np.zeros((10, 64))).groups
    1
    """

    name: str
    values: np.ndarray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = NO_PADDING
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class FloatTerm:
    """One term of an expression.

    Attributes:
        source: the id of the operator that the term reads.
        local_shape: the shape after the local operators and before the weights, batch included.
        shape: the shape of the term, batch included.
        factor: the public factor; 1 if there are weights.

    >>> FloatTerm(0, 10, (), (1, 4), (1, 4), first_channel=2).channels
    slice(2, 6, None)
    """

    source: int
    source_scale_bits: int
    local: tuple[LocalOp, ...]
    local_shape: Shape  # after the local operators, before the weights
    shape: Shape
    factor: float = 1.0
    weights: FloatWeights | None = None
    first_channel: int = 0

    @property
    def channels(self) -> slice:
        """The channels that the term is added to."""
        return slice(self.first_channel, self.first_channel + self.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A sum of terms and a bias, float64 (channels,) or None.

    Attributes:
        rectified: whether the value is never negative, so that a ReLU leaves it as it is.
        reads_products: whether terms without weights read operators that have weights.

    >>> value = of_value(0, 10, (1, 4))
    >>> value.is_single, add([value, value]).is_single, add([value, value]).is_local
    (True, False, True)
    """

    shape: Shape
    terms: tuple[FloatTerm, ...]
    bias: np.ndarray | None = None
    rectified: bool = False  # a value that ReLU leaves as it is
    reads_products: bool = False  # terms without weights read operators that have some

    @property
    def is_weighted(self) -> bool:
        """True if weights are applied in it, or in an operator that it reads."""
        return self.reads_products or any(term.weights is not None for term in self.terms)

    @property
    def is_local(self) -> bool:
        """True for a sum of whole values without weights: local operators apply to its terms one by one."""
        whole = all(term.weights is None and term.shape == self.shape for term in self.terms)
        return whole and self.bias is None and not self.reads_products

    @property
    def is_single(self) -> bool:
        """True for one value, possibly after local operators: weights can be applied to it."""
        return len(self.terms) == 1 and self.is_local


def of_value(source: int, scale_bits: int, shape: Shape, *, rectified: bool = False) -> Expression:
    """Makes the expression that is the value of operator `source`.

    >>> of_value(3, 10, (1, 4)).terms[0].source
    3
    """
    return Expression(shape, (FloatTerm(source, scale_bits, (), shape, shape),), rectified=rectified)


def weigh(operand: Expression, shape: Shape, weights: FloatWeights, bias: np.ndarray | None) -> Expression:
    """Applies weights to a single value.

    Args:
        bias: float (channels,), or None for no bias.

    >>> value = scale(of_value(0, 10, (1, 2)), 0.5, 0.0)
    >>> weigh(value, (1, 1), FloatWeights("w", np.array([[4.0, 2.0]])), None).terms[0].weights.values
    array([[2., 1.]])
    """
    (term,) = operand.terms
    weights = replace(weights, values=weights.values * term.factor)
    weighted = replace(term, local_shape=term.shape, shape=shape, factor=1.0, weights=weights)
    return Expression(shape, (weighted,), None if bias is None else bias.astype(np.float64))


def normalize(operand: Expression, gain: np.ndarray, shift: np.ndarray, name: str) -> Expression:
    """Computes ``gain * operand + shift`` with a secret gain and shift per channel, float64 (channels,).

    Args:
        name: prefix of the names of weights that terms without weights get.

    >>> normalize(of_value(0, 10, (1, 2)), np.array([2.0, 3.0]), np.zeros(2), "bn").terms[0].weights.name
    'bn.weight'
    """
    terms = tuple(
        _gained(term, gain[term.channels], f"{name}.weight.{i}" if i else f"{name}.weight")
        for i, term in enumerate(operand.terms)
    )
    return Expression(operand.shape, terms, shift if operand.bias is None else operand.bias * gain + shift)


def _gained(term: FloatTerm, gain: np.ndarray, name: str) -> FloatTerm:
    if term.weights is not None:
        values = term.weights.values * gain.reshape(-1, *(1,) * (term.weights.values.ndim - 1))
        return replace(term, weights=replace(term.weights, values=values))
    channels = term.shape[1]
    values = (gain * term.factor).reshape(channels, 1, *(1,) * (len(term.shape) - 2))
    weights = FloatWeights(name, values, groups=channels)
    return replace(term, local_shape=term.shape, factor=1.0, weights=weights)


def scale(operand: Expression, factor: float, shift: float) -> Expression:
    """Computes ``factor * operand + shift`` with public numbers.

    >>> scale(of_value(0, 10, (1, 2)), 0.5, 1.0).bias
    array([1., 1.])
    """
    if factor == 1 and shift == 0:
        return operand
    bias = operand.bias
    if bias is not None or shift:
        bias = (np.zeros(operand.shape[1]) if bias is None else bias) * factor + shift
    terms = tuple(_multiplied(term, factor) for term in operand.terms)
    rectified = operand.rectified and factor >= 0 and shift >= 0
    return replace(operand, terms=terms, bias=bias, rectified=rectified)


def _multiplied(term: FloatTerm, factor: float) -> FloatTerm:
    if term.weights is None:
        return replace(term, factor=term.factor * factor)
    return replace(term, weights=replace(term.weights, values=term.weights.values * factor))


def add(expressions: Sequence[Expression]) -> Expression:
    """Returns the sum of expressions, which all have the same shape.

    >>> len(add([of_value(0, 10, (1, 2)), of_value(1, 12, (1, 2))]).terms)
    2
    """
    biases = [expression.bias for expression in expressions if expression.bias is not None]
    return Expression(
        expressions[0].shape,
        tuple(term for expression in expressions for term in expression.terms),
        sum(biases[1:], biases[0]) if biases else None,
        all(expression.rectified for expression in expressions),
        any(expression.reads_products for expression in expressions),
    )


def place(operand: Expression, first_channel: int, shape: Shape) -> Expression:
    """Places the operand among the channels of a wider value that is 0 elsewhere.

    >>> place(of_value(0, 10, (1, 2)), 3, (1, 8)).terms[0].first_channel
    3
    """
    terms = (replace(term, first_channel=term.first_channel + first_channel) for term in operand.terms)
    bias = None
    if operand.bias is not None:
        bias = np.zeros(shape[1])
        bias[first_channel : first_channel + operand.shape[1]] = operand.bias
    return replace(operand, shape=shape, terms=tuple(terms), bias=bias)


def apply(operand: Expression, op: LocalOp, shape: Shape) -> Expression:
    """Applies a local operator to an expression that `is_local`.

    >>> apply(of_value(0, 10, (1, 2, 3)), Reshape((1, 6)), (1, 6)).shape
    (1, 6)
    """
    terms = (replace(term, local=(*term.local, op), local_shape=shape, shape=shape) for term in operand.terms)
    return Expression(shape, tuple(terms), rectified=operand.rectified)


def reshape(operand: Expression, shape: Shape) -> Expression:
    """Changes the shape of an expression that `is_local`; an equal shape changes nothing.

    >>> reshape(of_value(0, 10, (1, 2, 3)), (1, 6)).terms[0].local
    (Reshape(shape=(1, 6)),)
    """
    return operand if shape == operand.shape else apply(operand, Reshape(shape), shape)


def take_padding(operand: Expression) -> tuple[Expression, tuple[int, int, int, int]]:
    """Takes off the zeros that a single value's last local operator puts around it; returns them too.

    >>> padded = apply(of_value(0, 10, (1, 2, 4, 4)), Pad((1, 1, 0, 0)), (1, 2, 6, 4))
    >>> bare, zeros = take_padding(padded)
    >>> bare.shape, zeros
    ((1, 2, 4, 4), (1, 1, 0, 0))
    """
    (term,) = operand.terms
    last = term.local[-1] if term.local else None
    if not isinstance(last, Pad):
        return operand, NO_PADDING
    top, bottom, left, right = last.padding
    height, width = term.shape[2:]
    shape = (*term.shape[:2], height - top - bottom, width - left - right)
    bare = replace(term, local=term.local[:-1], local_shape=shape, shape=shape)
    return replace(operand, shape=shape, terms=(bare,)), last.padding


Handler = Callable[..., Expression]
"""A function ``handler(values, node)``, which makes the expression of a node from those of its inputs."""
