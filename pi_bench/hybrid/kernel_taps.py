"""The taps of one kernel within another: which windows of a larger kernel hold those of a smaller one."""

from __future__ import annotations

import numpy as np

from pi_bench.crypto.he import LinearShape

Taps = tuple[tuple[int, ...], tuple[int, ...]]
"""The rows and the columns of a kernel at which another kernel's rows and columns are."""


def whole_kernel(shape: LinearShape) -> Taps:
    """Returns all taps of a kernel.

    >>> whole_kernel(LinearShape("conv", (1, 1, 4, 4), (1, 1, 2, 4), kernel=(3, 1)))
    ((0, 1, 2), (0,))
    """
    return tuple(range(shape.kernel[0])), tuple(range(shape.kernel[1]))


def taps_within(inner: LinearShape, outer: LinearShape) -> Taps | None:
    """Returns the taps of the kernel of `outer` that read the same elements as those of `inner` do.

    None means that there are none: then `inner` is not `outer` with zeros at its other taps.

    >>> conv = LinearShape("conv", (1, 4, 8, 8), (1, 6, 4, 4), (3, 3), (2, 2), padding=(1, 1, 1, 1))
    >>> shortcut = LinearShape("shortcut", (1, 4, 8, 8), (1, 5, 4, 4), stride=(2, 2))
    >>> taps_within(shortcut, conv), taps_within(conv, shortcut)
    (((1,), (1,)), None)
    """
    if inner.in_shape != outer.in_shape or inner.out_shape[2:] != outer.out_shape[2:]:
        return None
    rows, columns = (_taps_on_axis(inner, outer, axis) for axis in (0, 1))
    return None if rows is None or columns is None else (rows, columns)


def dense_kernel(weights: np.ndarray, taps: Taps, kernel: tuple[int, ...]) -> np.ndarray:
    """Puts weights (out, in, ...) at their taps of a kernel, and zeros at the other taps.

    >>> dense_kernel(np.array([[[[7]]]], np.int16), ((1,), (0,)), (2, 2))[0, 0].tolist()
    [[0, 0], [7, 0]]
    """
    if weights.shape[2:] == kernel:
        return weights
    dense = np.zeros((*weights.shape[:2], *kernel), weights.dtype)
    dense[:, :, np.array(taps[0])[:, None], np.array(taps[1])] = weights
    return dense


def _taps_on_axis(inner: LinearShape, outer: LinearShape, axis: int) -> tuple[int, ...] | None:
    """Returns the taps of one axis. Padding counts where a window begins, at the top and at the left."""
    if inner.stride[axis] != outer.stride[axis]:
        return None
    offset = outer.padding[2 * axis] - inner.padding[2 * axis]
    reads = [divmod(offset + tap * inner.dilation[axis], outer.dilation[axis]) for tap in _range(inner, axis)]
    fits = all(rest == 0 and 0 <= tap < outer.kernel[axis] for tap, rest in reads)
    return tuple(tap for tap, _ in reads) if fits else None


def _range(shape: LinearShape, axis: int) -> range:
    return range(shape.kernel[axis])
