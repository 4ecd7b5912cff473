"""Lowers calls that choose, repeat or reorder elements by constant positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pi_bench.network.graph import Node, Shape
from pi_bench.network.lowering.arrangement import axis_of, reshaped, taken
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, keeps_batch, refuse, result_shape

_ADVICE = "its positions must be constants: a list, or a buffer of integers"


def _flip(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = lowering.value(call, given["self"])
    for dimension in given["dims"]:
        axis = axis_of(call, source, dimension)
        source = taken(lowering, call, source, axis, range(source.shape[axis] - 1, -1, -1))
    lowering.values[call] = source


def _roll(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, dimensions = lowering.value(call, given["self"]), given.get("dims") or ()
    if not dimensions:
        raise refuse(call, "it moves elements across all axes; name the axes (dims=)")
    for shift, dimension in zip(given["shifts"], dimensions, strict=True):
        axis = axis_of(call, source, dimension)
        size = source.shape[axis]
        source = taken(lowering, call, source, axis, [(i - int(shift)) % size for i in range(size)])
    lowering.values[call] = source


def _index_select(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = lowering.value(call, given["self"])
    lowering.values[call] = _chosen(lowering, call, source, int(given["dim"]), given["index"])


def _index(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    """Lowers `x[:, positions]`: one tensor of positions along one axis."""
    source, indices = lowering.value(call, given["self"]), given["indices"]
    used = [dimension for dimension, index in enumerate(indices) if index is not None]
    if len(used) != 1:
        raise refuse(call, "positions along one axis only are supported; index one axis after the other")
    chosen = _chosen(lowering, call, source, used[0], indices[used[0]])
    lowering.values[call] = reshaped(lowering, call, chosen, result_shape(call))


def _gather(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    """Lowers a gather whose positions are the same for all elements across its axis."""
    source, index = lowering.value(call, given["self"]), lowering.constant(given["index"])
    if index is None:
        raise refuse(call, _ADVICE)
    dimension = int(given["dim"]) % index.ndim
    axis = axis_of(call, source, dimension)
    line = np.moveaxis(index, dimension, 0).reshape(index.shape[dimension], -1)
    others = [size for i, size in enumerate(index.shape[1:]) if i != axis]
    if (line != line[:, :1]).any() or others != [n for i, n in enumerate(source.shape) if i != axis]:
        raise refuse(call, "its positions differ between the elements across the axis; use index_select")
    lowering.values[call] = taken(lowering, call, source, axis, _positions(call, line[:, 0], source, axis))


def _repeat(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = lowering.value(call, given["self"])
    counts = [int(count) for count in given.get("repeats") or given["dims"]]
    if len(counts) > len(source.shape) + 1 or (len(counts) == len(source.shape) + 1 and counts[0] != 1):
        raise refuse(call, "it repeats the batch, or adds axes; leave the axes as they are")
    for axis, count in enumerate(reversed(counts[-len(source.shape) :])):
        last = len(source.shape) - 1 - axis
        source = taken(lowering, call, source, last, [*range(source.shape[last])] * count)
    lowering.values[call] = source


def _repeat_interleave(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, count = lowering.value(call, given["self"]), given["repeats"]
    if given.get("dim") is None or not isinstance(count, int):
        raise refuse(call, "one number of repeats along one axis (dim=) is supported")
    axis = axis_of(call, source, given["dim"])
    positions = np.repeat(np.arange(source.shape[axis]), count).tolist()
    lowering.values[call] = taken(lowering, call, source, axis, positions)


def _expand(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = lowering.value(call, given["self"]), keeps_batch(call, given["self"])
    lowering.values[call] = expanded(lowering, call, source, shape)


def expanded(lowering: Lowering, call: FxNode, source: Node, shape: Shape) -> Node:
    """Repeats a value along its axes of size 1 until it has `shape`.

    Raises:
        ModelError: the value has other axes.

    >>> import torch
    >>> from pi_bench.network.graph import ReshapeNode
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.expand.default, ())
    >>> expanded(Lowering(sources={}), call, ReshapeNode("x", (), (3, 1, 1)), (3, 8, 1)).shape
    (3, 8, 1)
    """
    pairs = list(zip(source.shape, shape, strict=False))
    if len(source.shape) != len(shape) or any(size not in (1, wanted) for size, wanted in pairs):
        raise refuse(call, f"shapes {source.shape} and {shape} differ; give both the same axes")
    for axis, (size, wanted) in enumerate(pairs):
        if size != wanted:
            source = taken(lowering, call, source, axis, [0] * wanted)
    return source


def _chosen(lowering: Lowering, call: FxNode, source: Node, dimension: int, argument: Any) -> Node:
    index, axis = lowering.constant(argument), axis_of(call, source, dimension)
    if index is None:
        raise refuse(call, _ADVICE)
    if index.dtype == bool:
        index = np.flatnonzero(index)
    return taken(lowering, call, source, axis, _positions(call, index.reshape(-1), source, axis))


def _positions(call: FxNode, index: np.ndarray, source: Node, axis: int) -> list[int]:
    size = source.shape[axis]
    if index.size == 0:
        raise refuse(call, "it takes nothing of its operand")
    if index.min() < -size or index.max() >= size:
        raise refuse(call, f"it takes position {int(index.max())} of {size}")
    return [int(position) % size for position in index]


TRANSLATORS: Mapping[str, Translator] = {
    "flip": _flip,
    "roll": _roll,
    "index_select": _index_select,
    "index": _index,
    "gather": _gather,
    "repeat": _repeat,
    "tile": _repeat,
    "repeat_interleave": _repeat_interleave,
    "expand": _expand,
}
