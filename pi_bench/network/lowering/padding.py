"""Lowers calls that pad: with a number, with the edge, with the mirrored map, or with its other side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pi_bench.network.graph import Node, PadNode, ScaleNode, SubsampleNode
from pi_bench.network.lowering.arrangement import taken
from pi_bench.network.lowering.lines import as_line, as_map, is_line, map_shape
from pi_bench.network.lowering.state import (
    FxNode,
    Lowering,
    Translator,
    arguments,
    refuse,
    stem,
)

_MAX_POOLS = ("max_pool1d", "max_pool2d")
_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pad(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, mode = lowering.value(call, given["self"]), given.get("mode", "constant")
    amounts = given["pad"]
    sides = [(int(a), int(b)) for a, b in zip(amounts[::2], amounts[1::2], strict=True)]
    sides = [*reversed(sides)]
    if len(sides) > len(source.shape):
        raise refuse(call, "it pads the batch axis; leave that as it is")
    sides = [(0, 0)] * (len(source.shape) - len(sides)) + sides
    if surrounds_with_minus_infinity(call) and all(stem(user) in _MAX_POOLS for user in call.users):
        return  # the pools take it as their own padding
    if mode == "constant":
        number, line = float(given.get("value") or 0), is_line(source.shape)
        if line:
            source, sides = as_map(lowering, source), [sides[0], (0, 0), sides[1]]
        padded = _with_number(lowering, call, source, sides, number)
        lowering.values[call] = as_line(lowering, padded) if line else padded
    elif mode == "replicate" and len(source.shape) == 3 and sides[0] == (0, 0):
        lowering.values[call] = _within(lowering, call, source, (*sides[1], *sides[2]))
    elif mode in _MODES:
        for axis, side in enumerate(sides):
            if any(side):
                source = taken(lowering, call, source, axis, _positions(source.shape[axis], side, mode))
        lowering.values[call] = source
    else:
        raise refuse(
            call, f"padding mode {mode!r} is not supported; use 'constant', 'reflect' or 'replicate'"
        )


def surrounds_with_minus_infinity(call: Any) -> bool:
    """Tells if a call surrounds a map with minus infinity, which no maximum ever takes.

    >>> import torch
    >>> graph = torch.fx.Graph()
    >>> x = graph.placeholder("x")
    >>> padded = graph.call_function(torch.ops.aten.pad.default, (x, [0, 1], "constant", -torch.inf))
    >>> surrounds_with_minus_infinity(padded)
    True
    """
    if not hasattr(call, "op") or stem(call) not in ("pad", "constant_pad_nd"):
        return False
    given = arguments(call)
    return given.get("value") == -math.inf and len(given["pad"]) <= 4 and min(given["pad"]) >= 0


def _positions(size: int, side: tuple[int, int], mode: str) -> list[int]:
    """Returns the positions along one axis that the padded value has; a negative side cuts."""
    grown = [max(amount, 0) for amount in side]
    positions: list[int] = np.pad(np.arange(size), grown, _MODES[mode]).tolist()  # type: ignore[call-overload]
    return positions[max(-side[0], 0) : len(positions) - max(-side[1], 0)]


def _with_number(
    lowering: Lowering, call: FxNode, source: Node, sides: Sequence[tuple[int, int]], number: float
) -> Node:
    for axis, (before, after) in enumerate(sides):  # negative sides cut
        size = source.shape[axis]
        if min(before, after) < 0:
            kept = range(max(-before, 0), size - max(-after, 0))
            if not kept:
                raise refuse(call, "it cuts all of its operand away")
            source = taken(lowering, call, source, axis, kept)
    zeros = [(max(before, 0), max(after, 0)) for before, after in sides]
    if not any(map(any, zeros)):
        return source
    if number and not math.isfinite(number):
        raise refuse(call, "it pads with infinity; give the padding to the pool that follows instead")
    if number:  # pad the difference to the number with zeros
        source = _shifted(lowering, call, source, -number)
    if len(zeros) == 3 or not any(map(any, zeros[1:])):
        rows, columns = zeros[1:] if len(zeros) == 3 else ((0, 0), (0, 0))
        padding = (*rows, *columns)
        name = lowering.name(call, "pad")
        source = lowering.append(PadNode(name, (source.name,), map_shape(call), zeros[0], padding))
    else:
        for axis, (before, after) in enumerate(zeros):
            positions = [-1] * before + list(range(source.shape[axis])) + [-1] * after
            source = taken(lowering, call, source, axis, positions)
    return _shifted(lowering, call, source, number) if number else source


def _shifted(lowering: Lowering, call: FxNode, source: Node, shift: float) -> Node:
    name = lowering.name(call, "scale")
    return lowering.append(ScaleNode(name, (source.name,), source.shape, 1.0, shift))


def _within(lowering: Lowering, call: FxNode, source: Node, edges: Sequence[int]) -> Node:
    """Extends the edge (positive) or cuts the map (negative) at the top, bottom, left and right."""
    top, bottom, left, right = edges
    channels, height, width = source.shape
    shape = (channels, height + top + bottom, width + left + right)
    name = lowering.name(call, "pad")
    return lowering.append(SubsampleNode(name, (source.name,), shape, (-top, -left), (1, 1)))


TRANSLATORS: Mapping[str, Translator] = {"pad": _pad, "constant_pad_nd": _pad}
