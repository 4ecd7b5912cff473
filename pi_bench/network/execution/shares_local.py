"""Linear operators without weights on shares mod 2^32 (uint32, batch first, then channels)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pi_bench.network.program import (
    ChannelMap,
    ChannelSlice,
    ElementMap,
    Pad,
    Permute,
    Reshape,
    Subsample,
    SumPool,
    SumWindows,
    Window,
)


def _sum_pool(op: SumPool, share: np.ndarray) -> np.ndarray:
    (kh, kw), (down, across) = op.kernel, op.stride
    top, bottom, left, right = op.padding
    padded = np.pad(share, ((0, 0), (0, 0), (top, bottom), (left, right))) if any(op.padding) else share
    if padded.shape[2:] == (kh, kw):
        whole: np.ndarray = padded.sum(axis=(2, 3), dtype=np.uint32, keepdims=True)
        return whole
    rows = (padded.shape[2] - kh) // down + 1
    columns = (padded.shape[3] - kw) // across + 1
    total = np.zeros((*padded.shape[:2], rows, columns), np.uint32)
    for i in range(kh):
        for j in range(kw):
            total += padded[
                :, :, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * across + 1 : across
            ]
    return total


def _sum_windows(op: SumWindows, share: np.ndarray) -> np.ndarray:
    return _window_sums(_window_sums(share, 2, op.rows), 3, op.columns)


def _window_sums(share: np.ndarray, axis: int, windows: Sequence[Window]) -> np.ndarray:
    """Subtracts running sums, which wrap as the ring does."""
    before = [(0, 0)] * axis + [(1, 0)] + [(0, 0)] * (share.ndim - axis - 1)
    running = np.pad(np.cumsum(share, axis=axis, dtype=np.uint32), before)
    sums = running.take([window.end for window in windows], axis)
    sums -= running.take([window.begin for window in windows], axis)
    factors = np.array([window.factor for window in windows], np.uint32)
    column: np.ndarray = sums * factors.reshape(-1, *(1,) * (share.ndim - axis - 1))
    return column


def _subsample(op: Subsample, share: np.ndarray) -> np.ndarray:
    if op.offset == (0, 0) and op.size == tuple(
        -(-size // step) for size, step in zip(share.shape[2:], op.stride, strict=True)
    ):
        return share[:, :, :: op.stride[0], :: op.stride[1]]
    for axis in (0, 1):
        positions = op.offset[axis] + op.stride[axis] * np.arange(op.size[axis])
        share = share.take(positions, 2 + axis, mode="clip")
    return share


def _channel_slice(op: ChannelSlice, share: np.ndarray) -> np.ndarray:
    return share[:, op.first : op.first + op.count]


def _channel_map(op: ChannelMap, share: np.ndarray) -> np.ndarray:
    channels = np.array(op.channels)
    mapped = share[:, channels]
    mapped[:, channels < 0] = 0
    return mapped


def _element_map(op: ElementMap, share: np.ndarray) -> np.ndarray:
    # take and a product are several times as fast as an index and an assignment by a mask.
    mapped = share.reshape(len(share), -1).take(op.positions, 1, mode="wrap")
    np.multiply(mapped, op.positions >= 0, out=mapped)
    return mapped.reshape(op.shape)


def _reshape(op: Reshape, share: np.ndarray) -> np.ndarray:
    return share.reshape(op.shape)


def _permute(op: Permute, share: np.ndarray) -> np.ndarray:
    return share.transpose(op.axes)


def _pad(op: Pad, share: np.ndarray) -> np.ndarray:
    top, bottom, left, right = op.padding
    return np.pad(share, ((0, 0), (0, 0), (top, bottom), (left, right)))


LOCAL_FUNCTIONS: Mapping[type, Callable[[Any, np.ndarray], np.ndarray]] = {
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
"""The function of each operator, ``function(op, share)``; the result may be a view."""
