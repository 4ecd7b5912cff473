"""Terms of linear operators on signed integers (int64), plain, slow, and apart from the code for shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pi_bench.network.program import (
    ChannelMap,
    ChannelSlice,
    Convolution,
    ElementMap,
    FullyConnected,
    LinearTerm,
    Pad,
    Permute,
    Reshape,
    Subsample,
    SumPool,
    SumWindows,
    Weights,
)


def term_reference(term: LinearTerm, value: np.ndarray, weights: Weights) -> np.ndarray:
    """Computes ``(weighted(local(value)) * multiplier) << shift_bits[channel]``, int64 that may wrap mod
    2^64.

    >>> term = LinearTerm(0, (), FullyConnected("w", (1, 2), (1, 1)), 1, np.uint8([4]))
    >>> term_reference(term, np.int64([[5, 7]]), {"w": np.int16([[3, -1]])}).tolist()
    [[128]]
    """
    for op in term.local:
        value = _LOCAL[type(op)](op, value)
    if isinstance(term.weighted, Convolution):
        value = _convolve(term.weighted, weights[term.weighted.weight].astype(np.int64), value)
    elif term.weighted is not None:
        value = _connect(term.weighted, weights[term.weighted.weight].astype(np.int64), value)
    factor = term.multiplier * 2 ** term.shift_bits.astype(np.int64)
    return value * factor.reshape(-1, *(1,) * (value.ndim - 2))


def _convolve(op: Convolution, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Convolves by adding, for each position of the kernel, the shifted input times that position's
    weights.
    """
    top, bottom, left, right = op.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    _, _, rows, columns = op.out_shape
    out = np.zeros(op.out_shape, np.int64)
    outs, ins = weight.shape[0] // op.groups, weight.shape[1]
    for group in range(op.groups):
        read, made = slice(group * ins, (group + 1) * ins), slice(group * outs, (group + 1) * outs)
        for i in range(op.kernel[0]):
            for j in range(op.kernel[1]):
                at = padded[:, read, i * op.dilation[0] :, j * op.dilation[1] :]
                shifted = at[:, :, :: op.stride[0], :: op.stride[1]][:, :, :rows, :columns]
                out[:, made] += np.einsum("oc,nchw->nohw", weight[made, :, i, j], shifted)
    return out


def _connect(op: FullyConnected, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    grouped = x.reshape(len(x), op.groups, 1, -1) * weight.reshape(op.groups, -1, weight.shape[1])
    out: np.ndarray = grouped.sum(axis=3).reshape(op.out_shape)
    return out


def _sum_pool(op: SumPool, x: np.ndarray) -> np.ndarray:
    top, bottom, left, right = op.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, op.kernel, axis=(2, 3))
    return windows[:, :, :: op.stride[0], :: op.stride[1]].sum(axis=(4, 5))  # type: ignore[no-any-return]


def _sum_windows(op: SumWindows, x: np.ndarray) -> np.ndarray:
    out = np.empty((*x.shape[:2], len(op.rows), len(op.columns)), np.int64)
    for i, row in enumerate(op.rows):
        for j, column in enumerate(op.columns):
            inside = x[:, :, row.begin : row.end, column.begin : column.end]
            out[:, :, i, j] = inside.sum(axis=(2, 3)) * (row.factor * column.factor)
    return out


def _subsample(op: Subsample, x: np.ndarray) -> np.ndarray:
    rows, columns = (
        [
            min(max(op.offset[axis] + i * op.stride[axis], 0), x.shape[2 + axis] - 1)
            for i in range(op.size[axis])
        ]
        for axis in (0, 1)
    )
    return x[:, :, rows][:, :, :, columns]


def _pad(op: Pad, x: np.ndarray) -> np.ndarray:
    top, bottom, left, right = op.padding
    count, channels, height, width = x.shape
    out = np.zeros((count, channels, top + height + bottom, left + width + right), np.int64)
    out[:, :, top : top + height, left : left + width] = x
    return out


def _channel_map(op: ChannelMap, x: np.ndarray) -> np.ndarray:
    out = np.zeros((len(x), len(op.channels), *x.shape[2:]), np.int64)
    for made, read in enumerate(op.channels):
        if read >= 0:
            out[:, made] = x[:, read]
    return out


def _element_map(op: ElementMap, x: np.ndarray) -> np.ndarray:
    out = np.zeros((len(x), op.positions.size), np.int64)
    for sample, flat in zip(out, x.reshape(len(x), -1), strict=True):
        sample[op.positions >= 0] = flat[op.positions[op.positions >= 0]]
    return out.reshape(op.shape)


_LOCAL: Mapping[type, Callable[[Any, np.ndarray], np.ndarray]] = {
    SumPool: _sum_pool,
    SumWindows: _sum_windows,
    Subsample: _subsample,
    ChannelSlice: lambda op, x: x[:, op.first : op.first + op.count],
    ChannelMap: _channel_map,
    ElementMap: _element_map,
    Reshape: lambda op, x: x.reshape(op.shape),
    Permute: lambda op, x: np.transpose(x, op.axes),
    Pad: _pad,
}
