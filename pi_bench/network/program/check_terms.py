"""Checks the shapes of terms of linear operators, and counts the elements that a party holds for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pi_bench.network.program import (
    ChannelMap,
    ChannelSlice,
    Convolution,
    ElementMap,
    LinearOp,
    LinearTerm,
    Op,
    Pad,
    Permute,
    Reshape,
    Shape,
    Subsample,
    SumPool,
    SumWindows,
    Weighted,
    Window,
)
from pi_bench.network.program.fields import FieldError

_MAX_ELEMENTS = 1 << 28
"""The elements of all tensors of a program together, padding included. Without this bound, a few bytes from a
peer could make a party allocate any amount of memory."""


def fault(op: Op, what: str) -> FieldError:
    """Makes the error that names an operator and says what is wrong with it.

    >>> from pi_bench.network.program import OutputOp
    >>> str(fault(OutputOp(4, "output", (1, 10), 3, 12), "is a second output"))
    "operator 4 'output' is a second output"
    """
    return FieldError(f"operator {op.id} {op.name!r:.80} {what}")


class Elements:
    """A count of the elements that a party running the program has to hold, with an upper bound.

    >>> from pi_bench.network.program import OutputOp
    >>> Elements().take(OutputOp(1, "huge", (1 << 20, 1 << 20), 0, 12), 1 << 20, 1 << 20)
    Traceback (most recent call last):
    pi_bench.network.program.fields.FieldError: operator 1 'huge' brings the program above ...
    """

    def __init__(self) -> None:
        self._left = _MAX_ELEMENTS

    def take(self, op: Op, *sizes: int) -> None:
        """Counts a tensor of these sizes, which `op` needs.

        Raises:
            FieldError: the program needs more elements than a party holds.
        """
        self._left -= math.prod(sizes)
        if self._left < 0:
            raise fault(op, f"brings the program above {_MAX_ELEMENTS} elements: too large an input or batch")


def term_shape(op: LinearOp, term: LinearTerm, shape: Shape, elements: Elements) -> Shape:
    """Infers the shape of one term of `op` that reads a value of `shape`.

    Raises:
        FieldError: an operator of the term cannot be applied, or the elements are too many.

    >>> import numpy as np
    >>> term = LinearTerm(0, (Reshape((1, 6)),), None, 1, np.zeros(6, np.uint8))
    >>> op = LinearOp(1, "flatten", (1, 6), 12, (term,), None, 0)
    >>> term_shape(op, term, (1, 2, 3), Elements())
    (1, 6)
    """
    for local in term.local:
        shape = _LOCAL_SHAPES[type(local)](op, local, shape, elements)
        elements.take(op, *shape)
    return shape if term.weighted is None else _weighted_shape(op, term.weighted, shape, elements)


def _weighted_shape(op: LinearOp, weighted: Weighted, shape: Shape, elements: Elements) -> Shape:
    out_shape = weighted.out_shape
    if weighted.in_shape != shape or out_shape[0] != shape[0]:
        raise fault(op, f"applies weights for {weighted.in_shape} to {shape}")
    if shape[1] % weighted.groups or out_shape[1] % weighted.groups:
        raise fault(op, f"divides {shape[1]} and {out_shape[1]} channels into {weighted.groups} groups")
    if isinstance(weighted, Convolution):
        expected = _window_counts(op, shape, weighted.extent, weighted.stride, weighted.padding, elements)
        if len(out_shape) != 4 or out_shape[2:] != expected:
            raise fault(op, f"says {out_shape} where the windows give {expected}")
    elif len(shape) != 2 or len(out_shape) != 2:
        raise fault(op, "connects fully a value that is not flat")
    elements.take(op, *out_shape)
    return out_shape


def _window_counts(
    op: LinearOp,
    shape: Shape,
    extent: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    elements: Elements,
) -> tuple[int, int]:
    _require_map(op, shape)
    height, width = shape[2] + padding[0] + padding[1], shape[3] + padding[2] + padding[3]
    elements.take(op, *shape[:2], height, width)
    if extent[0] > height or extent[1] > width:
        raise fault(op, f"has a window {extent} larger than its input {shape}")
    return (height - extent[0]) // stride[0] + 1, (width - extent[1]) // stride[1] + 1


def _sum_pool(op: LinearOp, local: SumPool, shape: Shape, elements: Elements) -> Shape:
    return (*shape[:2], *_window_counts(op, shape, local.kernel, local.stride, local.padding, elements))


def _sum_windows(op: LinearOp, local: SumWindows, shape: Shape, elements: Elements) -> Shape:
    _require_map(op, shape)
    for windows, size in ((local.rows, shape[2]), (local.columns, shape[3])):
        if not windows or any(not _fits(window, size) for window in windows):
            raise fault(op, f"has windows that do not lie in its input {shape}")
    elements.take(op, *shape[:2], shape[2] + 1, shape[3] + 1)
    return (*shape[:2], len(local.rows), len(local.columns))


def _fits(window: Window, size: int) -> bool:
    return 0 <= window.begin < window.end <= size


def _subsample(op: LinearOp, local: Subsample, shape: Shape, elements: Elements) -> Shape:
    _require_map(op, shape)
    return (*shape[:2], *local.size)


def _channel_slice(op: LinearOp, local: ChannelSlice, shape: Shape, elements: Elements) -> Shape:
    if local.first + local.count > shape[1]:
        raise fault(op, f"takes {local.count} channels from {local.first} on of {shape}")
    return (shape[0], local.count, *shape[2:])


def _channel_map(op: LinearOp, local: ChannelMap, shape: Shape, elements: Elements) -> Shape:
    if max(local.channels) >= shape[1]:
        raise fault(op, f"takes channel {max(local.channels)} of {shape}")
    return (shape[0], len(local.channels), *shape[2:])


def _element_map(op: LinearOp, local: ElementMap, shape: Shape, elements: Elements) -> Shape:
    if local.shape[0] != shape[0] or local.positions.size != math.prod(local.shape[1:]):
        raise fault(op, f"takes {local.positions.size} elements of {shape} to {local.shape}")
    if local.positions.min() < -1 or local.positions.max() >= math.prod(shape[1:]):
        raise fault(op, f"takes elements that {shape} does not have")
    return local.shape


def _reshape(op: LinearOp, local: Reshape, shape: Shape, elements: Elements) -> Shape:
    if math.prod(local.shape) != math.prod(shape) or local.shape[0] != shape[0]:
        raise fault(op, f"reshapes {shape} to {local.shape}")
    return local.shape


def _permute(op: LinearOp, local: Permute, shape: Shape, elements: Elements) -> Shape:
    if len(local.axes) != len(shape) or local.axes[0] != 0:
        raise fault(op, f"brings the axes of {shape} into the order {local.axes}")
    return tuple(shape[axis] for axis in local.axes)


def _pad(op: LinearOp, local: Pad, shape: Shape, elements: Elements) -> Shape:
    _require_map(op, shape)
    top, bottom, left, right = local.padding
    return (*shape[:2], shape[2] + top + bottom, shape[3] + left + right)


def _require_map(op: LinearOp, shape: Shape) -> None:
    if len(shape) != 4:
        raise fault(op, f"convolves, pools or subsamples {shape}")


_LOCAL_SHAPES: Mapping[type, Callable[[LinearOp, Any, Shape, Elements], Shape]] = {
    SumPool: _sum_pool,
    SumWindows: _sum_windows,
    Subsample: _subsample,
    ChannelSlice: _channel_slice,
    ChannelMap: _channel_map,
    ElementMap: _element_map,
    Reshape: _reshape,
    Permute: _permute,
    Pad: _pad,
}
