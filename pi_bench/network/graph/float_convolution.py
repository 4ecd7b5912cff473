"""Convolves padded float32 maps, for convolutions of a graph and for pieces of fused layers."""

from __future__ import annotations

import numpy as np

from pi_bench.shape import Pair


def convolve(x: np.ndarray, weight: np.ndarray, size: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """Convolves x (batch, in, rows, columns), which is padded already, with weight (out, in, kh, kw).

    Returns float32 (batch, out, *size).

    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
    >>> convolve(x, np.float32([[[[1, 10]]]]), size=(1, 3), stride=(1, 1), dilation=(1, 1)).tolist()
    [[[[10.0, 21.0, 32.0]]]]
    """
    out_channels, in_channels, kh, kw = weight.shape
    (down, across), (rows, columns) = dilation, size
    matrix = weight.reshape(out_channels, -1)
    out = np.empty((len(x), out_channels, rows, columns), np.float32)
    unrolled = np.empty((in_channels, kh, kw, rows, columns), np.float32)
    for sample in range(len(x)):  # one sample's windows at a time bounds the memory
        for i in range(kh):
            for j in range(kw):
                read = x[sample, :, i * down :: stride[0], j * across :: stride[1]]
                unrolled[:, i, j] = read[:, :rows, :columns]
        out[sample] = (matrix @ unrolled.reshape(-1, rows * columns)).reshape(out_channels, rows, columns)
    return out
