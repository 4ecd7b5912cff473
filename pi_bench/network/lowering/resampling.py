"""Lowers calls that resize a map: nearest, bilinear and bicubic, by integer factors or to any size.

Each of them is a public linear map of the rows, and one of the columns. torch itself tells its coefficients.
Nearest positions are a choice. Bilinear maps by integer factors have few kinds of rows, whose sums cost
nothing in private. Other coefficients become the weights of a 1x1 convolution along the axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from pi_bench.network.graph import AddNode, ConcatNode, Node, ScaleNode
from pi_bench.network.graph.check import MAX_ELEMENTS
from pi_bench.network.lowering.arrangement import along, taken
from pi_bench.network.lowering.lines import as_line, is_line, map_of, map_shape
from pi_bench.network.lowering.matrices import weighed
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, refuse, result_shape, stem

_MAX_KINDS = 16
"""More kinds of rows than this would make a graph of many nodes; then the coefficients become weights."""
_DECIMALS = 6
"""torch computes coefficients in float32; those of one kind agree to this many decimals."""

Kind = tuple[float, ...]
Resize = Callable[[torch.Tensor, list[int], float | None], torch.Tensor]


def _resized(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = map_of(lowering, call, given.get("self", given.get("input"))), map_shape(call)
    line = is_line(result_shape(call))
    factors = given.get("scale_factors") or (
        given.get("scales_h"),
        given.get("scales_w", given.get("scales")),
    )
    resize = _kernel(call, bool(given.get("align_corners")))
    factor_of = {2: factors[-1]} if line else {1: factors[0], 2: factors[1]}
    for axis, factor in factor_of.items():
        size, count = source.shape[axis], shape[axis]
        if size * count > MAX_ELEMENTS:
            raise refuse(call, f"it resizes {size} rows to {count}; that is too large")
        lines = torch.eye(size).reshape(1, size, size, 1)  # line i has its 1 at position i
        matrix = resize(lines, [count, 1], factor)[0, :, :, 0].T.double().numpy()
        source = mapped(lowering, call, source, axis, matrix)
    lowering.values[call] = as_line(lowering, source) if line else source


def _kernel(call: FxNode, align_corners: bool) -> Resize:
    """Returns torch's own function of (map, size, factor of rows), in two dimensions."""
    name = _IN_TWO_DIMENSIONS.get(stem(call), str(call.target).removeprefix("aten.").split(".")[0])
    function = getattr(torch.ops.aten, name).default
    if "nearest" in name:
        return lambda lines, size, factor: function(lines, size, factor, None)
    return lambda lines, size, factor: function(lines, size, align_corners, factor, None)


def mapped(lowering: Lowering, call: FxNode, source: Node, axis: int, matrix: np.ndarray) -> Node:
    """Applies a public matrix (out, in) along one axis, which is counted without the batch.

    >>> from pi_bench.network.graph import ReshapeNode
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.flip.default, ())
    >>> source = ReshapeNode("x", (), (2, 4))
    >>> mapped(Lowering(sources={}), call, source, 0, np.float64([[0, 1], [0.5, 0.5]])).shape
    (2, 4)
    """
    if not ((matrix == 0) | (matrix == 1)).all() or (matrix.sum(1) > 1).any():
        kinds = _kinds(matrix)
        if len(kinds) > _MAX_KINDS:
            return weighed(lowering, call, source, axis, matrix, None)
        return along(lowering, call, source, axis, lambda front: _summed(lowering, call, front, kinds))
    positions = [int(row.argmax()) if row.any() else -1 for row in matrix]
    return taken(lowering, call, source, axis, positions)


def _kinds(matrix: np.ndarray) -> dict[Kind, list[tuple[int, list[int]]]]:
    """Groups the rows by their coefficients: coefficients → (row, the positions that they belong to)."""
    kinds: dict[Kind, list[tuple[int, list[int]]]] = {}
    rounded = np.round(matrix, _DECIMALS)
    for number, row in enumerate(rounded):
        positions = np.flatnonzero(row)
        kinds.setdefault(tuple(row[positions].tolist()), []).append((number, positions.tolist()))
    return kinds


def _summed(
    lowering: Lowering, call: FxNode, source: Node, kinds: Mapping[Kind, list[tuple[int, list[int]]]]
) -> Node:
    parts, order = [], []
    for kind, rows in kinds.items():
        order += [number for number, _ in rows]
        summands = [
            _scaled(lowering, call, _taken_first(lowering, call, source, rows, place), factor)
            for place, factor in enumerate(kind or (1.0,))
        ]
        total = summands[0]
        for summand in summands[1:]:
            name = lowering.name(call, "add")
            total = lowering.append(AddNode(name, (total.name, summand.name), total.shape))
        parts.append(total)
    whole = parts[0]
    if len(parts) > 1:
        shape = (len(order), *source.shape[1:])
        name = lowering.name(call, "cat")
        whole = lowering.append(ConcatNode(name, tuple(part.name for part in parts), shape))
    return taken(lowering, call, whole, 0, [order.index(number) for number in range(len(order))])


def _taken_first(
    lowering: Lowering, call: FxNode, source: Node, rows: list[tuple[int, list[int]]], place: int
) -> Node:
    """Takes, for each row, the position of its coefficient number `place`; zeros for a row without any."""
    positions = [where[place] if where else -1 for _, where in rows]
    return taken(lowering, call, source, 0, positions)


def _scaled(lowering: Lowering, call: FxNode, source: Node, factor: float) -> Node:
    if factor == 1:
        return source
    name = lowering.name(call, "scale")
    return lowering.append(ScaleNode(name, (source.name,), source.shape, factor, 0.0))


_IN_TWO_DIMENSIONS = {
    "upsample_nearest1d": "upsample_nearest2d",
    "upsample_nearest_exact1d": "_upsample_nearest_exact2d",
    "upsample_linear1d": "upsample_bilinear2d",
}

TRANSLATORS: Mapping[str, Translator] = {
    "upsample_nearest1d": _resized,
    "_upsample_nearest_exact1d": _resized,
    "upsample_linear1d": _resized,
    "upsample_nearest2d": _resized,
    "_upsample_nearest_exact2d": _resized,
    "upsample_bilinear2d": _resized,
    "upsample_bicubic2d": _resized,
}
