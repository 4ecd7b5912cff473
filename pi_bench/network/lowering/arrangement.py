"""Adds the nodes that rearrange elements: reshapes, orders of axes, and choices of positions along an axis.

An axis is counted without the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pi_bench.network.graph import Node, PermuteNode, ReshapeNode, Shape, SliceNode, SubsampleNode, TakeNode
from pi_bench.network.lowering.lines import as_line, as_map, is_line
from pi_bench.network.lowering.state import FxNode, Lowering, refuse

_FARTHEST_OFFSET = 1 << 12  # of a subsampling


def axis_of(call: FxNode, source: Node, dimension: Any) -> int:
    """Returns the axis that `dimension`, counted with the batch, is.

    Raises:
        ModelError: it is the batch axis.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.cat.default, ())
    >>> axis_of(call, ReshapeNode("map", (), (3, 8, 8)), -1)
    2
    """
    axis = int(dimension) % (len(source.shape) + 1) - 1
    if axis < 0:
        raise refuse(call, "it works along the batch axis; leave that as it is")
    return axis


def reshaped(lowering: Lowering, call: FxNode, source: Node, shape: Shape) -> Node:
    """Returns `source` in another shape, in row-major order.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.view.default, ())
    >>> reshaped(Lowering(sources={}), call, ReshapeNode("x", (), (6,)), (2, 3)).shape
    (2, 3)
    """
    if shape == source.shape:
        return source
    return lowering.append(ReshapeNode(lowering.name(call, "reshape"), (source.name,), shape))


def in_order(lowering: Lowering, call: FxNode, source: Node, axes: Sequence[int]) -> Node:
    """Returns `source` with its axes in another order.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.permute.default, ())
    >>> in_order(Lowering(sources={}), call, ReshapeNode("x", (), (2, 3)), (1, 0)).shape
    (3, 2)
    """
    if list(axes) == list(range(len(axes))):
        return source
    shape = tuple(source.shape[axis] for axis in axes)
    return lowering.append(PermuteNode(lowering.name(call, "permute"), (source.name,), shape, tuple(axes)))


def along(lowering: Lowering, call: FxNode, source: Node, axis: int, change: Callable[[Node], Node]) -> Node:
    """Applies `change`, which alters the first axis of a value, to another axis.

    >>> import torch
    >>> call, lowering = torch.fx.Graph().call_function(torch.ops.aten.flip.default, ()), Lowering(sources={})
    >>> source = ReshapeNode("x", (), (2, 3))
    >>> along(lowering, call, source, 1, lambda front: cut(lowering, call, front, 0, 0, 1)).shape
    (2, 1)
    """
    if axis == 0:
        return change(source)
    order = [axis, *(other for other in range(len(source.shape)) if other != axis)]
    changed = change(in_order(lowering, call, source, order))
    return in_order(lowering, call, changed, [order.index(other) for other in range(len(order))])


def cut(
    lowering: Lowering, call: FxNode, source: Node, axis: int, first: int, count: int, step: int = 1
) -> Node:
    """Takes `count` positions of one axis from `first` on, every `step`-th.

    >>> import torch
    >>> call = torch.fx.Graph().call_function(torch.ops.aten.slice.Tensor, ())
    >>> cut(Lowering(sources={}), call, ReshapeNode("x", (), (4, 8, 8)), 0, 1, 2).shape
    (2, 8, 8)
    """
    return taken(lowering, call, source, axis, range(first, first + count * step, step))


def taken(lowering: Lowering, call: FxNode, source: Node, axis: int, positions: Sequence[int]) -> Node:
    """Takes positions of one axis in any order, some of them several times; position -1 gives zeros.

    Runs of channels and even steps along height and width have operators of their own. On a map, the choice
    of rows and columns does not need a change of the order of axes.

    >>> import torch
    >>> call, lowering = torch.fx.Graph().call_function(torch.ops.aten.flip.default, ()), Lowering(sources={})
    >>> taken(lowering, call, ReshapeNode("x", (), (3, 8, 8)), 0, (2, 1, 0)).positions
    (2, 1, 0)
    """
    size, count, first = source.shape[axis], len(positions), positions[0]
    if list(positions) == list(range(size)):
        return source
    step = positions[1] - first if count > 1 else 1
    even = list(positions) == list(range(first, first + count * step, step or 1)) and min(positions) >= 0
    if axis > 0 and len(source.shape) == 3 and step > 0 and even and first < _FARTHEST_OFFSET:
        offset, stride = [0, 0], [1, 1]
        offset[axis - 1], stride[axis - 1] = first, step
        shape = (*source.shape[:axis], count, *source.shape[axis + 1 :])
        name = lowering.name(call, "slice")
        node = SubsampleNode(name, (source.name,), shape, (offset[0], offset[1]), (stride[0], stride[1]))
        return lowering.append(node)

    if axis == 1 and is_line(source.shape) and step > 0 and even and first < _FARTHEST_OFFSET:
        return as_line(lowering, taken(lowering, call, as_map(lowering, source), 2, positions))

    def choose(front: Node) -> Node:
        shape = (count, *front.shape[1:])
        if step == 1 and even:
            return lowering.append(SliceNode(lowering.name(call, "slice"), (front.name,), shape, first))
        name = lowering.name(call, "take")
        return lowering.append(TakeNode(name, (front.name,), shape, tuple(map(int, positions))))

    return along(lowering, call, source, axis, choose)
