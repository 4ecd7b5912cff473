"""Compiles fused linear layers: one linear operator, with further operators for its borders.

The inside of a fused map is a term of the value's own operator. A border, a corner, or a map that became
fully connected is a linear operator of its own, whose result the value's operator reads in its place. No
message is sent for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from pi_bench.network.compiler import sums
from pi_bench.network.compiler.scales import scale_of_output, scales_of_activation
from pi_bench.network.compiler.sums import Expression, FloatWeights, Handler
from pi_bench.network.compiler.values import Values
from pi_bench.network.graph import Node
from pi_bench.network.graph.fused_node import FusedNode, FusedTerm
from pi_bench.network.linear_maps.pieces import Piece, weights_of
from pi_bench.network.program import Pad, Permute, Subsample


def _fused(values: Values, node: FusedNode) -> Expression:
    shape = (values.options.batch, *node.shape)
    direct: list[Expression] = []
    beside: list[tuple[Piece, str, Expression]] = []
    for source, term in zip(node.inputs, node.terms, strict=True):
        if term.times:
            itself = values.single(source) if term.pieces else values.summand(source)
            direct.append(sums.scale(itself, float(term.times), 0.0))
        for piece in term.pieces:
            title = _untaken(f"{term.title}{_SUFFIXES[piece.kind]}", values.titles)
            weighed = _weighed(values, source, term, piece, f"{title}.weight")
            if weighed.shape == shape:
                direct.append(weighed)
            else:
                beside.append((piece, title, weighed))
    scale_bits = _common_scale(values, node, [*direct, *(expression for _, _, expression in beside)])
    placed = []
    for piece, name, expression in beside:
        op = values.emit_linear(name, expression, scale_bits)
        placed.append(_placed(piece, sums.of_value(op.id, scale_bits, op.shape), shape))
    return replace(sums.add([*direct, *placed]), reads_products=bool(placed))


_SUFFIXES = {
    "conv": "",
    "dense": "",
    "row border": " (rows)",
    "column border": " (columns)",
    "corner": " (corner)",
}


def _untaken(title: str, taken: set[str]) -> str:
    """Returns `title`, numbered if an operator has it already, and records it as taken."""
    names = (f"{title} {number}" if number > 1 else title for number in range(1, len(taken) + 2))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name


def _common_scale(values: Values, node: FusedNode, expressions: list[Expression]) -> int:
    """Chooses a scale that the value's own operator reaches for each of its readers."""
    terms = tuple(term for expression in expressions for term in expression.terms)
    whole = replace(expressions[0], terms=terms)
    revealed = scale_of_output(node.name, whole, values.maximum(node.name), values.options)
    wanted = values.result_scale(node.name, node.name)
    maximum = values.maximum(node.name)
    return min(scales_of_activation(node.name, whole, maximum, wanted, values.options).linear, revealed)


def _weighed(values: Values, source: str, term: FusedTerm, piece: Piece, name: str) -> Expression:
    """Applies the weights of a piece to the part of its source that it reads."""
    assert term.map is not None
    weight, bias = weights_of(piece, term.map)
    operand = values.single(source)
    batch, channels = operand.shape[:2]
    if len(operand.shape) == 4:
        read = (len(piece.rows), len(piece.columns))
        if read != operand.shape[2:]:
            cut = Subsample((1, 1), (piece.rows.start, piece.columns.start), read)
            operand = sums.apply(operand, cut, (batch, channels, *read))
    if piece.kind in ("dense", "corner"):
        operand = sums.reshape(operand, (batch, math.prod(operand.shape[1:])))
        weights = FloatWeights(name, weight.reshape(len(weight), -1))
        return sums.weigh(operand, (batch, len(weight)), weights, bias)
    weights = FloatWeights(name, weight, piece.stride, piece.padding)
    return sums.weigh(operand, (batch, len(weight), *piece.out_size), weights, bias)


def _placed(piece: Piece, value: Expression, shape: tuple[int, ...]) -> Expression:
    """Places the result of a piece's operator in a map of `shape`, with zeros around it."""
    batch, channels, height, width = shape
    (rows, columns), (high, wide), (top, left) = piece.block, piece.out_size, piece.origin
    if piece.kind == "column border":
        value = sums.reshape(value, (batch, channels, columns, high))
        value = sums.apply(value, Permute((0, 1, 3, 2)), (batch, channels, high, columns))
    else:
        value = sums.reshape(value, (batch, channels, rows, columns * wide))
    bottom, right = height - top - value.shape[2], width - left - value.shape[3]
    if any((top, bottom, left, right)):
        value = sums.apply(value, Pad((top, bottom, left, right)), shape)
    return value


HANDLERS: Mapping[type[Node], Handler] = {FusedNode: _fused}
