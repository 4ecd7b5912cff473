"""What the compiler makes of float nodes before scales are chosen: sums of linear terms.

An expression is ``sum(term) + bias``; a term is ``weights * local(source) / divisor`` of one earlier
activation. Batch normalization folds into the weights here, and so do the divisors of average pools.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.graph import AvgPoolNode, BatchNormNode, ConvNode, Graph, LinearNode
from pi_bench.network.program import LocalOp, Reshape, Shape, Subsample, SumPool


@dataclass(frozen=True, slots=True, eq=False)
class FloatWeights:
    """`values` float64 (out, in, kh, kw) or (out, in); stride and padding are a convolution's."""

    name: str
    values: np.ndarray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class FloatTerm:
    """`source`: id of the activation's operator. Shapes include the batch."""

    source: int
    source_scale_bits: int
    local: tuple[LocalOp, ...]
    local_shape: Shape  # after the local operators, before the weights
    shape: Shape
    divisor: int = 1
    weights: FloatWeights | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """`bias` float64 (channels,). Only expressions with weights have one."""

    terms: tuple[FloatTerm, ...]
    bias: np.ndarray | None = None
    rectified: bool = False  # a value that ReLU leaves as it is

    @property
    def shape(self) -> Shape:
        return self.terms[0].shape

    @property
    def is_weighted(self) -> bool:
        return any(term.weights is not None for term in self.terms)

    @property
    def is_single(self) -> bool:
        """One activation, possibly after local operators: what weights can be applied to."""
        return len(self.terms) == 1 and not self.is_weighted


def of_activation(source: int, scale_bits: int, shape: Shape, *, rectified: bool) -> Expression:
    return Expression((FloatTerm(source, scale_bits, (), shape, shape),), rectified=rectified)


def convolve(node: ConvNode, operand: Expression, graph: Graph) -> Expression:
    weight = graph.parameters[node.weight].astype(np.float64)
    stride = node.stride
    if weight.shape[2:] == (1, 1) and node.padding == (0, 0) and stride != (1, 1):
        operand, stride = _subsampled(operand, stride), (1, 1)
    return _weighted(node, operand, FloatWeights(f"{node.name}.weight", weight, stride, node.padding), graph)


def connect(node: LinearNode, operand: Expression, graph: Graph) -> Expression:
    weight = graph.parameters[node.weight].astype(np.float64)
    return _weighted(node, operand, FloatWeights(f"{node.name}.weight", weight), graph)


def _weighted(
    node: ConvNode | LinearNode, operand: Expression, weights: FloatWeights, graph: Graph
) -> Expression:
    (term,) = operand.terms
    weights = replace(weights, values=weights.values / term.divisor)
    bias = None if node.bias is None else graph.parameters[node.bias].astype(np.float64)
    shape = (term.shape[0], *node.shape)
    return Expression((replace(term, local_shape=term.shape, shape=shape, divisor=1, weights=weights),), bias)


def normalize(node: BatchNormNode, operand: Expression, graph: Graph) -> Expression:
    """Batch normalization of a sum of weighted terms, folded into their weights.

    Raises:
        ModelError: a term has no weights to fold into.
    """
    if not all(term.weights is not None for term in operand.terms):
        raise ModelError(
            f"batch_norm {node.name!r} does not follow a convolution or fully connected layer, so "
            "it cannot be folded; put it right behind one (conv, batch_norm, then ReLU or sum)"
        )
    parameters = graph.parameters
    gain = 1 / np.sqrt(parameters[node.variance].astype(np.float64) + node.epsilon)
    if node.weight is not None:
        gain = gain * parameters[node.weight]
    bias = -parameters[node.mean] * gain
    if node.bias is not None:
        bias = bias + parameters[node.bias]
    if operand.bias is not None:
        bias = bias + operand.bias * gain
    return Expression(tuple(_scaled(term, gain) for term in operand.terms), bias)


def _scaled(term: FloatTerm, gain: np.ndarray) -> FloatTerm:
    assert term.weights is not None
    values = term.weights.values * gain.reshape(-1, *(1,) * (term.weights.values.ndim - 1))
    return replace(term, weights=replace(term.weights, values=values))


def add(left: Expression, right: Expression) -> Expression:
    biases = [expression.bias for expression in (left, right) if expression.bias is not None]
    return Expression(left.terms + right.terms, sum(biases[1:], biases[0]) if biases else None)


def pool(node: AvgPoolNode, operand: Expression) -> Expression:
    """Average pooling of a sum of activations: a sum over windows now, the divisor later."""
    kernel, stride = node.kernel, node.stride
    if kernel == (1, 1) and stride == (1, 1) and node.padding == (0, 0):
        return operand
    shape = (operand.shape[0], *node.shape)
    if kernel == (1, 1) and node.padding == (0, 0):
        return _subsampled(operand, stride)
    rows, columns = node.padding
    pooled = _local(operand, SumPool(kernel, stride, (rows, rows, columns, columns)), shape)
    return replace(
        pooled, terms=tuple(replace(term, divisor=term.divisor * math.prod(kernel)) for term in pooled.terms)
    )


def flatten(operand: Expression) -> Expression:
    shape = (operand.shape[0], math.prod(operand.shape[1:]))
    return operand if shape == operand.shape else _local(operand, Reshape(shape), shape)


def _local(operand: Expression, op: LocalOp, shape: Shape) -> Expression:
    terms = (replace(term, local=(*term.local, op), local_shape=shape, shape=shape) for term in operand.terms)
    return Expression(tuple(terms), rectified=operand.rectified)


def _subsampled(operand: Expression, stride: tuple[int, int]) -> Expression:
    rows, columns = (-(-size // step) for size, step in zip(operand.shape[2:], stride, strict=True))
    return _local(operand, Subsample(stride, (0, 0), (rows, columns)), (*operand.shape[:2], rows, columns))
