"""Calls that move elements: reshapes, permutations, slices, concatenation, padding, and none at all."""

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
    PadNode,
    PermuteNode,
    ReshapeNode,
    Shape,
    SliceNode,
    SubsampleNode,
)
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
        lowering.add(call, _reshaped(lowering, call, source, shape))


def _reshaped(lowering: Lowering, call: FxNode, source: Node, shape: Shape) -> Node:
    return ReshapeNode(lowering.name(call, "reshape"), (source.name,), shape)


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
    lowering.add(call, _in_order(lowering, call, source, [axis - 1 for axis in order[1:]]))


def _in_order(lowering: Lowering, call: FxNode, source: Node, axes: Sequence[int]) -> Node:
    shape = tuple(source.shape[axis] for axis in axes)
    return PermuteNode(lowering.name(call, "permute"), (source.name,), shape, tuple(axes))


def _shuffled(lowering: Lowering, call: FxNode, argument: Any, view: Shape, axes: Sequence[int]) -> None:
    """Reshape to `view`, permute, and reshape to the call's own shape."""
    source = lowering.value(call, argument)
    seen = lowering.append(_reshaped(lowering, call, source, view))
    turned = lowering.append(_in_order(lowering, call, seen, axes))
    lowering.add(call, _reshaped(lowering, call, turned, result_shape(call)))


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


def _axis(call: FxNode, source: Node, dimension: Any) -> int:
    """Returns the axis of the value without batch."""
    axis = int(dimension) % (len(source.shape) + 1) - 1
    if axis < 0:
        raise refuse(call, "it cuts or joins along the batch axis; leave that whole")
    return axis


def _cut(
    lowering: Lowering, call: FxNode, source: Node, axis: int, first: int, count: int, step: int = 1
) -> Node:
    """Takes `count` positions of one axis from `first` on."""
    if (first, count, step) == (0, source.shape[axis], 1):
        return source
    shape = (*source.shape[:axis], count, *source.shape[axis + 1 :])
    if len(source.shape) == 3 and axis > 0:
        offset, stride = [0, 0], [1, 1]
        offset[axis - 1], stride[axis - 1] = first, step
        name = lowering.name(call, "slice")
        node = SubsampleNode(name, (source.name,), shape, (offset[0], offset[1]), (stride[0], stride[1]))
        return lowering.append(node)
    if step != 1:
        raise refuse(call, "steps are supported along height and width only; use a permutation and a slice")
    if axis == 0:
        return lowering.append(SliceNode(lowering.name(call, "slice"), (source.name,), shape, first))
    order = [axis, *(other for other in range(len(source.shape)) if other != axis)]
    front = lowering.append(_in_order(lowering, call, source, order))
    part = _cut(lowering, call, front, 0, first, count)
    return lowering.append(
        _in_order(lowering, call, part, [order.index(other) for other in range(len(order))])
    )


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
    axis = _axis(call, source, given["dim"])
    lowering.values[call] = _cut(lowering, call, source, axis, first, count, step)


def _select(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source = lowering.value(call, given["self"])
    axis = _axis(call, source, given["dim"])
    part = _cut(lowering, call, source, axis, int(given["index"]) % source.shape[axis], 1)
    lowering.add(call, _reshaped(lowering, call, part, keeps_batch(call, given["self"])))


def _split(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    """Lowers split, split_with_sizes, chunk and unbind; the shapes of the results tell where to cut."""
    source = lowering.value(call, given["self"])
    axis = _axis(call, source, given["dim"])
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
    part = _cut(lowering, call, source, axis, first, count)
    return part if part.shape == shape else lowering.append(_reshaped(lowering, call, part, shape))


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
    _joined(lowering, call, [lowering.value(call, item) for item in given["tensors"]], given.get("dim", 1))


def _stack(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    sources = [lowering.value(call, item) for item in given["tensors"]]
    axis = int(given["dim"]) % (len(sources[0].shape) + 2) - 1
    if axis < 0:
        raise refuse(call, "it stacks along the batch axis; leave that as it is")
    shape = (*sources[0].shape[:axis], 1, *sources[0].shape[axis:])
    opened = [lowering.append(_reshaped(lowering, call, source, shape)) for source in sources]
    _joined(lowering, call, opened, axis + 1)


def _joined(lowering: Lowering, call: FxNode, sources: Sequence[Node], dimension: Any) -> None:
    axis = _axis(call, sources[0], dimension)
    if axis == 0:
        lowering.add(call, _concatenated(lowering, call, sources))
        return
    rank = len(sources[0].shape)
    order = [axis, *(other for other in range(rank) if other != axis)]
    fronts = [lowering.append(_in_order(lowering, call, source, order)) for source in sources]
    whole = lowering.append(_concatenated(lowering, call, fronts))
    lowering.add(call, _in_order(lowering, call, whole, [order.index(other) for other in range(rank)]))


def _concatenated(lowering: Lowering, call: FxNode, sources: Sequence[Node]) -> Node:
    shape = (sum(source.shape[0] for source in sources), *sources[0].shape[1:])
    return ConcatNode(lowering.name(call, "cat"), tuple(source.name for source in sources), shape)


def _pad(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, mode = lowering.value(call, given["self"]), given.get("mode", "constant")
    sides = [(int(a), int(b)) for a, b in zip(given["pad"][::2], given["pad"][1::2], strict=True)]
    columns, rows, channels = (*sides, (0, 0), (0, 0), (0, 0))[:3]
    if len(source.shape) == 1:
        columns, rows, channels = (0, 0), (0, 0), columns
    if mode == "constant" and given.get("value") not in (None, 0):
        raise refuse(call, "only padding with zeros or with the edge ('replicate') is supported")
    if mode not in ("constant", "replicate") or len(sides) > len(source.shape):
        raise refuse(call, f"padding mode {mode!r} is not supported; use 'constant' with 0, or 'replicate'")
    edges = [min(side, 0) if mode == "constant" else side for side in (*rows, *columns)]
    if any(edges):
        source = _within(lowering, call, source, edges)
    if mode == "constant":
        zeros = [max(side, 0) for side in (*rows, *columns)]
        if min(channels) < 0:
            count = source.shape[0] + sum(min(side, 0) for side in channels)
            source = _cut(lowering, call, source, 0, max(-channels[0], 0), count)
        added = (max(channels[0], 0), max(channels[1], 0))
        if any(zeros) or any(added):
            name = lowering.name(call, "pad")
            padding = (zeros[0], zeros[1], zeros[2], zeros[3])
            source = lowering.append(PadNode(name, (source.name,), result_shape(call), added, padding))
    lowering.values[call] = source


def _within(lowering: Lowering, call: FxNode, source: Node, edges: Sequence[int]) -> Node:
    """Extends the edge (positive) or cut the map (negative) at the top, bottom, left and right."""
    top, bottom, left, right = edges
    channels, height, width = source.shape
    shape = (channels, height + top + bottom, width + left + right)
    name = lowering.name(call, "pad")
    return lowering.append(SubsampleNode(name, (source.name,), shape, (-top, -left), (1, 1)))


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
    "pad": _pad,
    "constant_pad_nd": _pad,
    "dropout": _pass_through,
    "feature_dropout": _pass_through,
    "clone": _pass_through,
    "alias": _pass_through,
    "contiguous": _pass_through,
    "detach": _pass_through,
    "_to_copy": _conversion,
    "to": _conversion,
}
