"""Calls torch for ONNX's pools and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_movement import chosen
from pi_bench.network.interchange.onnx_operands import Attributes, Operator, activation, parameter
from pi_bench.network.interchange.onnx_windows import OnnxWindow, flat, padded, planar, spatial


def _window(inputs: list[Any], attributes: Attributes) -> tuple[torch.Tensor, OnnxWindow, bool]:
    x, is_line = planar(activation(inputs[0]), attributes)
    kernel = [int(size) for size in attributes.pop("kernel_shape")]
    return x, spatial(x, kernel, attributes), is_line


def _max_pool(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    attributes.pop("storage_order", None)
    x, window, is_line = _window(inputs, attributes)
    pads, ceil = window.pads, bool(attributes.pop("ceil_mode", 0))
    most = [extent // 2 for extent in window.extents]
    if ceil and pads[:2] != pads[2:]:  # the end pads that make the same windows without ceil_mode
        ceil, counts = False, _counts(x, window)
        pads = [*pads[:2], *(_pads_behind(x, window, axis, counts[axis]) for axis in (0, 1))]
    x, padding = padded(x, pads, -torch.inf, most)
    y = functional.max_pool2d(x, window.kernel, window.strides, padding, window.dilations, ceil)
    return flat(y, is_line)


def _counts(x: torch.Tensor, window: OnnxWindow) -> list[int]:
    """Returns the number of windows of each axis with ceil_mode, none of which begins in the end pads."""
    counts = []
    for axis, size in enumerate(x.shape[2:]):
        before, after, step = window.pads[axis], window.pads[axis + 2], window.strides[axis]
        count = -(-(size + before + after - window.extents[axis]) // step) + 1
        counts.append(count - 1 if (count - 1) * step >= size + before else count)
    return counts


def _pads_behind(x: torch.Tensor, window: OnnxWindow, axis: int, count: int) -> int:
    reach = (count - 1) * window.strides[axis] + window.extents[axis]
    return max(reach - x.shape[2 + axis] - window.pads[axis], 0)


def _average_pool(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, window, is_line = _window(inputs, attributes)
    counted = bool(attributes.pop("count_include_pad", 0))
    ceil = bool(attributes.pop("ceil_mode", 0))
    if window.dilations != [1, 1]:
        x, window = _gathered(x, window, counted, ceil)
    pads, kernel = window.pads, window.kernel
    most = [taps // 2 for taps in kernel]
    if counted or (pads[:2] == pads[2:] and pads[0] <= most[0] and pads[1] <= most[1]):
        x, padding = padded(x, pads, most=most)
        y = functional.avg_pool2d(x, kernel, window.strides, padding, ceil, counted)
        return flat(y, is_line)
    # torch has one padding for both sides: every window of the larger one, of which some are kept.
    if ceil:
        raise ModelError("average pooling with ceil_mode and pads that differ by side is not supported")
    both = [max(pads[axis], pads[axis + 2]) for axis in (0, 1)]
    if both[0] > most[0] or both[1] > most[1]:
        raise ModelError(f"average pooling with pads {pads} of more than half its window is not supported")
    y = functional.avg_pool2d(x, kernel, 1, both, False, False)
    for axis in (0, 1):
        first = both[axis] - pads[axis]
        count = (x.shape[2 + axis] + pads[axis] + pads[axis + 2] - kernel[axis]) // window.strides[axis] + 1
        chosen = slice(first, first + (count - 1) * window.strides[axis] + 1, window.strides[axis])
        y = y[(slice(None),) * (2 + axis) + (chosen,)]
    return flat(y, is_line)


def _gathered(
    x: torch.Tensor, window: OnnxWindow, counted: bool, ceil: bool
) -> tuple[torch.Tensor, OnnxWindow]:
    """Puts the elements of windows with dilations next to each other. Returns the windows of neighbors."""
    if any(window.pads) and not counted:
        raise ModelError(
            "average pooling with dilations is supported without pads, or with count_include_pad"
        )
    top, left, bottom, right = window.pads
    x = functional.pad(x, (left, right, top, bottom))
    for axis, extent in enumerate(window.extents):
        taps, step, spread = window.kernel[axis], window.strides[axis], window.dilations[axis]
        count, rest = divmod(x.shape[2 + axis] - extent, step)
        if ceil and rest:
            raise ModelError("average pooling with dilations and windows beyond the pads is not supported")
        read = [first * step + tap * spread for first in range(count + 1) for tap in range(taps)]
        x = chosen(x, 2 + axis, read)
    return x, OnnxWindow(window.kernel, window.kernel, [1, 1], [0, 0, 0, 0])


def _global(pool: Callable[[torch.Tensor, int], torch.Tensor]) -> Operator:
    def run(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
        x, is_line = planar(activation(inputs[0]), attributes)
        return flat(pool(x, 1), is_line)

    return run


def _reduction(pool: Callable[[torch.Tensor], torch.Tensor]) -> Operator:
    """Makes the operator that reduces any axes but the batch; `pool` reduces the last two axes of four."""

    def run(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
        x, axes = activation(inputs[0]), parameter(inputs, attributes, 1, "axes")
        keep = bool(attributes.pop("keepdims", 1))
        if attributes.pop("noop_with_empty_axes", 0) and not axes:
            return x
        reduced = {axis % x.dim() for axis in axes or range(x.dim())}
        if 0 in reduced and (x.shape[0] != 1 or not keep):
            raise ModelError("it reduces the batch, axis 0; reduce other axes")
        reduced -= {0}
        kept = [axis for axis in range(1, x.dim()) if axis not in reduced]
        if not reduced:
            return x
        if reduced == {2, 3} and x.dim() == 4:
            y = pool(x)
        else:
            inner = x.permute(0, *kept, *sorted(reduced)) if sorted(reduced)[0] <= max(kept, default=0) else x
            sizes = [math.prod(x.shape[axis] for axis in some) for some in (kept, sorted(reduced))]
            y = pool(inner.reshape(x.shape[0], sizes[0], sizes[1], 1))
        shape = [
            1 if axis in reduced else x.shape[axis] for axis in range(x.dim()) if keep or axis not in reduced
        ]
        return y.reshape(shape)

    return run


def _mean(x: torch.Tensor) -> torch.Tensor:
    return functional.adaptive_avg_pool2d(x, 1)


def _total(x: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(x, [x.shape[2], x.shape[3]], divisor_override=1)


def _largest(x: torch.Tensor) -> torch.Tensor:
    return functional.adaptive_max_pool2d(x, 1)


OPERATORS: Mapping[str, Operator] = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global(functional.adaptive_avg_pool2d),
    "GlobalMaxPool": _global(functional.adaptive_max_pool2d),
    "ReduceMean": _reduction(_mean),
    "ReduceSum": _reduction(_total),
    "ReduceMax": _reduction(_largest),
    "ReduceMin": _reduction(lambda x: -_largest(-x)),
}
