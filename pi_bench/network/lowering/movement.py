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
from pi_bench.network.lowering.trace import (
    FxNode,
    Trace,
    Translator,
    keeps_batch,
    refuse,
    result_shape,
)


def _reshape(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = trace.value(call, given["self"]), keeps_batch(call, given["self"])
    if shape == source.shape:
        trace.values[call] = source
    elif shape == (math.prod(source.shape),):
        trace.add(call, FlattenNode(trace.name(call, "flatten"), (source.name,), shape))
    else:
        trace.add(call, _reshaped(trace, call, source, shape))


def _reshaped(trace: Trace, call: FxNode, source: Node, shape: Shape) -> Node:
    return ReshapeNode(trace.name(call, "reshape"), (source.name,), shape)


def _permute(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    _permuted(trace, call, given["self"], [int(axis) for axis in given["dims"]])


def _transpose(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    axes = list(range(len(trace.value(call, given["self"]).shape) + 1))
    first, second = int(given["dim0"]), int(given["dim1"])
    axes[first], axes[second] = axes[second], axes[first]
    _permuted(trace, call, given["self"], axes)


def _permuted(trace: Trace, call: FxNode, argument: Any, axes: Sequence[int]) -> None:
    source = trace.value(call, argument)
    order = [axis % len(axes) for axis in axes]
    if order[0] != 0:
        raise refuse(call, "it moves the batch axis; leave that first")
    trace.add(call, _in_order(trace, call, source, [axis - 1 for axis in order[1:]]))


def _in_order(trace: Trace, call: FxNode, source: Node, axes: Sequence[int]) -> Node:
    shape = tuple(source.shape[axis] for axis in axes)
    return PermuteNode(trace.name(call, "permute"), (source.name,), shape, tuple(axes))


def _shuffled(trace: Trace, call: FxNode, argument: Any, view: Shape, axes: Sequence[int]) -> None:
    """Reshape to `view`, permute, and reshape to the call's own shape."""
    source = trace.value(call, argument)
    seen = trace.append(_reshaped(trace, call, source, view))
    turned = trace.append(_in_order(trace, call, seen, axes))
    trace.add(call, _reshaped(trace, call, turned, result_shape(call)))


def _channel_shuffle(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    channels, *size = trace.value(call, given["self"]).shape
    groups = int(given["groups"])
    view = (groups, channels // groups, *size)
    _shuffled(trace, call, given["self"], view, (1, 0, *range(2, len(view))))


def _pixel_unshuffle(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    factor = int(given["downscale_factor"])
    channels, height, width = trace.value(call, given["self"]).shape
    view = (channels, height // factor, factor, width // factor, factor)
    _shuffled(trace, call, given["self"], view, (0, 2, 4, 1, 3))


def _pixel_shuffle(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    factor = int(given["upscale_factor"])
    channels, height, width = trace.value(call, given["self"]).shape
    view = (channels // factor**2, factor, factor, height, width)
    _shuffled(trace, call, given["self"], view, (0, 3, 1, 4, 2))


def _axis(call: FxNode, source: Node, dimension: Any) -> int:
    """Of the value without batch."""
    axis = int(dimension) % (len(source.shape) + 1) - 1
    if axis < 0:
        raise refuse(call, "it cuts or joins along the batch axis; leave that whole")
    return axis


def _cut(trace: Trace, call: FxNode, source: Node, axis: int, first: int, count: int, step: int = 1) -> Node:
    """`count` positions of one axis from `first` on."""
    if (first, count, step) == (0, source.shape[axis], 1):
        return source
    shape = (*source.shape[:axis], count, *source.shape[axis + 1 :])
    if len(source.shape) == 3 and axis > 0:
        offset, stride = [0, 0], [1, 1]
        offset[axis - 1], stride[axis - 1] = first, step
        name = trace.name(call, "slice")
        node = SubsampleNode(name, (source.name,), shape, (offset[0], offset[1]), (stride[0], stride[1]))
        return trace.append(node)
    if step != 1:
        raise refuse(call, "steps are supported along height and width only; use a permutation and a slice")
    if axis == 0:
        return trace.append(SliceNode(trace.name(call, "slice"), (source.name,), shape, first))
    order = [axis, *(other for other in range(len(source.shape)) if other != axis)]
    front = trace.append(_in_order(trace, call, source, order))
    part = _cut(trace, call, front, 0, first, count)
    return trace.append(_in_order(trace, call, part, [order.index(other) for other in range(len(order))]))


def _slice(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["self"])
    size = int(given["self"].meta["val"].shape[int(given["dim"])])
    first, _, step = slice(given["start"], given["end"], given["step"]).indices(size)
    count = int(call.meta["val"].shape[int(given["dim"])])
    if int(given["dim"]) % (len(source.shape) + 1) == 0 and count == size:
        trace.values[call] = source
        return
    if not count:
        raise refuse(call, "it takes nothing of its operand")
    axis = _axis(call, source, given["dim"])
    trace.values[call] = _cut(trace, call, source, axis, first, count, step)


def _select(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source = trace.value(call, given["self"])
    axis = _axis(call, source, given["dim"])
    part = _cut(trace, call, source, axis, int(given["index"]) % source.shape[axis], 1)
    trace.add(call, _reshaped(trace, call, part, keeps_batch(call, given["self"])))


def _split(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    """Of split, split_with_sizes, chunk and unbind: the results' own shapes say where it cuts."""
    source = trace.value(call, given["self"])
    axis = _axis(call, source, given["dim"])
    results = call.meta["val"]
    bound = all(result.dim() == len(source.shape) for result in results)  # unbind: without the axis
    counts = [1 if bound else int(result.shape[axis + 1]) for result in results]
    firsts = itertools.accumulate([0, *counts[:-1]])
    trace.parts[call] = [
        partial(_part, trace, source, axis, first, count, tuple(map(int, result.shape[1:])))
        for first, count, result in zip(firsts, counts, results, strict=True)
    ]


def _part(trace: Trace, source: Node, axis: int, first: int, count: int, shape: Shape, call: FxNode) -> Node:
    part = _cut(trace, call, source, axis, first, count)
    return part if part.shape == shape else trace.append(_reshaped(trace, call, part, shape))


def getitem(trace: Trace, call: FxNode, _: dict[str, Any]) -> None:
    """A part of a call with several results; of batch normalizations and max-pools the first alone, since
    the others exist only in training or are positions."""
    source, index = call.args
    if source in trace.parts and -len(trace.parts[source]) <= index < len(trace.parts[source]):
        trace.values[call] = trace.parts[source][index](call)
    elif index == 0 and source in trace.values:
        trace.values[call] = trace.values[source]
    else:
        raise refuse(call, "only the values of a pool or batch normalization can be used")


def _cat(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    _joined(trace, call, [trace.value(call, item) for item in given["tensors"]], given.get("dim", 1))


def _stack(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    sources = [trace.value(call, item) for item in given["tensors"]]
    axis = int(given["dim"]) % (len(sources[0].shape) + 2) - 1
    if axis < 0:
        raise refuse(call, "it stacks along the batch axis; leave that as it is")
    shape = (*sources[0].shape[:axis], 1, *sources[0].shape[axis:])
    opened = [trace.append(_reshaped(trace, call, source, shape)) for source in sources]
    _joined(trace, call, opened, axis + 1)


def _joined(trace: Trace, call: FxNode, sources: Sequence[Node], dimension: Any) -> None:
    axis = _axis(call, sources[0], dimension)
    if axis == 0:
        trace.add(call, _concatenated(trace, call, sources))
        return
    rank = len(sources[0].shape)
    order = [axis, *(other for other in range(rank) if other != axis)]
    fronts = [trace.append(_in_order(trace, call, source, order)) for source in sources]
    whole = trace.append(_concatenated(trace, call, fronts))
    trace.add(call, _in_order(trace, call, whole, [order.index(other) for other in range(rank)]))


def _concatenated(trace: Trace, call: FxNode, sources: Sequence[Node]) -> Node:
    shape = (sum(source.shape[0] for source in sources), *sources[0].shape[1:])
    return ConcatNode(trace.name(call, "cat"), tuple(source.name for source in sources), shape)


def _pad(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    source, mode = trace.value(call, given["self"]), given.get("mode", "constant")
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
        source = _within(trace, call, source, edges)
    if mode == "constant":
        zeros = [max(side, 0) for side in (*rows, *columns)]
        if min(channels) < 0:
            count = source.shape[0] + sum(min(side, 0) for side in channels)
            source = _cut(trace, call, source, 0, max(-channels[0], 0), count)
        added = (max(channels[0], 0), max(channels[1], 0))
        if any(zeros) or any(added):
            name = trace.name(call, "pad")
            padding = (zeros[0], zeros[1], zeros[2], zeros[3])
            source = trace.append(PadNode(name, (source.name,), result_shape(call), added, padding))
    trace.values[call] = source


def _within(trace: Trace, call: FxNode, source: Node, edges: Sequence[int]) -> Node:
    """More of the edge (positive) or less of the map (negative) at the top, bottom, left and right."""
    top, bottom, left, right = edges
    channels, height, width = source.shape
    shape = (channels, height + top + bottom, width + left + right)
    name = trace.name(call, "pad")
    return trace.append(SubsampleNode(name, (source.name,), shape, (-top, -left), (1, 1)))


def _pass_through(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    if given.get("train"):
        raise refuse(call, "dropout is on in inference; use torch.nn.Dropout or training=self.training")
    trace.values[call] = trace.value(call, next(iter(given.values())))


def _conversion(trace: Trace, call: FxNode, given: dict[str, Any]) -> None:
    kind = str(given.get("dtype"))
    if kind not in ("None", "torch.float32"):
        raise refuse(call, f"it makes an activation {kind}; keep activations float32")
    trace.values[call] = trace.value(call, given["self"])


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
