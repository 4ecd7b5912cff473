"""Calls that move elements: reshapes, permutations, slices, concatenation, and none at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pi_bench.network.graph import (
    ConcatNode,
    FlattenNode,
    Node,
    Shape,
)
from pi_bench.network.lowering.arrangement import axis_of, cut, in_order, reshaped, taken
from pi_bench.network.lowering.state import (
    FxNode,
    Lowering,
    Translator,
    keeps_batch,
    refuse,
    result_shape,
)


def _reshape(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = lowering.value(call, given["self"]), keeps_batch(call, given["self"])
    if shape == source.shape:
        lowering.values[call] = source
    elif shape == (math.prod(source.shape),):
        lowering.add(call, FlattenNode(lowering.name(call, "flatten"), (source.name,), shape))
    else:
        lowering.values[call] = reshaped(lowering, call, source, shape)


def _permute(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    _permuted(lowering, call, given["self"], [int(axis) for axis in given["dims"]])


def _transpose(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    axes = list(range(len(lowering.value(call, given["self"]).shape) + 1))
    first, second = int(given["dim0"]), int(given["dim1"])
    axes[first], axes[second] = axes[second], axes[first]
    _permuted(lowering, call, given["self"], axes)


def _permuted(lowering: Lowering, call: FxNode, argument: Any, axes: Sequence[int]) -> None:
    source = lowering.value(call, argument)
    order = [axis % len(axes) for axis in axes]
    if order[0] != 0:
        raise refuse(call, "it moves the batch axis; leave that first")
    lowering.values[call] = in_order(lowering, call, source, [axis - 1 for axis in order[1:]])


def _shuffled(lowering: Lowering, call: FxNode, argument: Any, view: Shape, axes: Sequence[int]) -> None:
    """Reshapes to `view`, permutes, and reshapes to the call's own shape."""
    source = lowering.value(call, argument)
    seen = reshaped(lowering, call, source, view)
    turned = in_order(lowering, call, seen, axes)
    lowering.values[call] = reshaped(lowering, call, turned, result_shape(call))


def _channel_shuffle(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    channels, *size = lowering.value(call, given["self"]).shape
    groups = int(given["groups"])
    view = (groups, channels // groups, *size)
    _shuffled(lowering, call, given["self"], view, (1, 0, *range(2, len(view))))


def _pixel_unshuffle(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    factor = int(given["downscale_factor"])
    channels, height, width = lowering.value(call, given["self"]).shape
    view = (channels, height // factor, factor, width // factor, factor)
    _shuffled(lowering, call, given["self"], view, (0, 2, 4, 1, 3))


def _pixel_shuffle(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    factor = int(given["upscale_factor"])
    channels, height, width = lowering.value(call, given["self"]).shape
    view = (channels // factor**2, factor, factor, height, width)
    _shuffled(lowering, call, given["self"], view, (0, 3, 1, 4, 2))


def _slice(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = lowering.value(call, given["self"])
    size = int(given["self"].meta["val"].shape[int(given["dim"])])
    first, _, step = slice(given["start"], given["end"], given["step"]).indices(size)
    count = int(call.meta["val"].shape[int(given["dim"])])
    if int(given["dim"]) % (len(source.shape) + 1) == 0 and count == size:
        lowering.values[call] = source
        return
    if not count:
        raise refuse(call, "it takes nothing of its operand")
    axis = axis_of(call, source, given["dim"])
    lowering.values[call] = cut(lowering, call, source, axis, first, count, step)


def _select(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = lowering.value(call, given["self"])
    axis = axis_of(call, source, given["dim"])
    part = cut(lowering, call, source, axis, int(given["index"]) % source.shape[axis], 1)
    lowering.values[call] = reshaped(lowering, call, part, keeps_batch(call, given["self"]))


def _split(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    """Lowers split, split_with_sizes, chunk and unbind; the shapes of the results tell where to cut."""
    source = lowering.value(call, given["self"])
    axis = axis_of(call, source, given["dim"])
    results = call.meta["val"]
    bound = all(result.dim() == len(source.shape) for result in results)  # unbind: without the axis
    counts = [1 if bound else int(result.shape[axis + 1]) for result in results]
    firsts = itertools.accumulate([0, *counts[:-1]])
    lowering.parts[call] = [
        partial(_part, lowering, source, axis, first, count, tuple(map(int, result.shape[1:])))
        for first, count, result in zip(firsts, counts, results, strict=True)
    ]


def _part(
    lowering: Lowering, source: Node, axis: int, first: int, count: int, shape: Shape, call: FxNode
) -> Node:
    part = cut(lowering, call, source, axis, first, count)
    return reshaped(lowering, call, part, shape)


def getitem(lowering: Lowering, call: FxNode, _: dict[str, Any]) -> None:
    """Lowers the choice of one result of a call with several results.

    For batch normalizations and max-pools only the first result is supported: the others exist only in
    training or are positions.

    >>> import operator, torch
    >>> from pi_bench.network.graph import InputNode
    >>> graph = torch.fx.Graph()
    >>> x, lowering = graph.placeholder("x"), Lowering(sources={})
    >>> lowering.add(x, InputNode("input", (), (2,)))
    >>> first = graph.call_function(operator.getitem, (x, 0))
    >>> getitem(lowering, first, {})
    >>> lowering.values[first].name
    'input'
    """
    source, index = call.args
    if source in lowering.parts and -len(lowering.parts[source]) <= index < len(lowering.parts[source]):
        lowering.values[call] = lowering.parts[source][index](call)
    elif index == 0 and source in lowering.values:
        lowering.values[call] = lowering.values[source]
    else:
        raise refuse(call, "only the values of a pool or batch normalization can be used")


def _cat(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    known = next((lowering.values[item] for item in given["tensors"] if item in lowering.values), None)
    sources = [_operand_of_cat(lowering, call, item, given.get("dim", 1), known) for item in given["tensors"]]
    _joined(lowering, call, sources, given.get("dim", 1))


def _operand_of_cat(
    lowering: Lowering, call: FxNode, argument: Any, dimension: Any, known: Node | None
) -> Node:
    """Returns an operand that is joined; constant zeros become zeros of the operand `known`."""
    constant = lowering.constant(argument)
    if constant is None or known is None:
        return lowering.value(call, argument)
    if constant.any():
        raise refuse(call, "it joins constants to an activation; only zeros are supported")
    axis = axis_of(call, known, dimension)
    return taken(lowering, call, known, axis, [-1] * constant.shape[axis + 1])


def _stack(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    sources = [lowering.value(call, item) for item in given["tensors"]]
    axis = int(given["dim"]) % (len(sources[0].shape) + 2) - 1
    if axis < 0:
        raise refuse(call, "it stacks along the batch axis; leave that as it is")
    shape = (*sources[0].shape[:axis], 1, *sources[0].shape[axis:])
    opened = [reshaped(lowering, call, source, shape) for source in sources]
    _joined(lowering, call, opened, axis + 1)


def _joined(lowering: Lowering, call: FxNode, sources: Sequence[Node], dimension: Any) -> None:
    axis, rank = axis_of(call, sources[0], dimension), len(sources[0].shape)
    order = [axis, *(other for other in range(rank) if other != axis)]
    fronts = [in_order(lowering, call, source, order) for source in sources]
    whole = lowering.append(_concatenated(lowering, call, fronts))
    lowering.values[call] = in_order(lowering, call, whole, [order.index(other) for other in range(rank)])


def _concatenated(lowering: Lowering, call: FxNode, sources: Sequence[Node]) -> Node:
    shape = (sum(source.shape[0] for source in sources), *sources[0].shape[1:])
    return ConcatNode(lowering.name(call, "cat"), tuple(source.name for source in sources), shape)


def _pass_through(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    if given.get("train"):
        raise refuse(call, "dropout is on in inference; use torch.nn.Dropout or training=self.training")
    lowering.values[call] = lowering.value(call, next(iter(given.values())))


def _conversion(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    kind = str(given.get("dtype"))
    if kind not in ("None", "torch.float32"):
        raise refuse(call, f"it makes an activation {kind}; keep activations float32")
    lowering.values[call] = lowering.value(call, given["self"])


TRANSLATORS: Mapping[str, Translator] = {
    "flatten": _reshape,
    "unflatten": _reshape,
    "view": _reshape,
    "_unsafe_view": _reshape,
    "reshape": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "channel_shuffle": _channel_shuffle,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "slice": _slice,
    "select": _select,
    "split": _split,
    "split_with_sizes": _split,
    "chunk": _split,
    "unbind": _split,
    "cat": _cat,
    "concat": _cat,
    "hstack": _cat,
    "stack": _stack,
    "dropout": _pass_through,
    "feature_dropout": _pass_through,
    "clone": _pass_through,
    "alias": _pass_through,
    "contiguous": _pass_through,
    "detach": _pass_through,
    "_to_copy": _conversion,
    "to": _conversion,
}
