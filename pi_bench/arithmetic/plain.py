"""INSECURE: arithmetic on values in the clear, for a protocol that measures the harness itself."""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.arithmetic.convolution import Task


def activate_task(
    x: np.ndarray,
    out: np.ndarray,
    *,
    offset: int,
    above: int,
    shift: int,
    is_relu: bool,
    index: np.ndarray | None = None,
) -> Task:
    """Returns a call that computes an activation in the clear, for any number of uses.

    A ReLU is ``max(0, ((x + offset) << above) >> (above + shift))`` mod 2^32, and a truncation is
    ``(x + offset) >> shift``. Shifts to the right keep the sign.

    Args:
        x, out: uint32, of one size and C-contiguous.
        index: the flat places that it computes, int64; None for all.

    >>> x, out = np.array([64, -64, 9], np.int32).view(np.uint32), np.zeros(3, np.uint32)
    >>> activate_task(x, out, offset=0, above=7, shift=4, is_relu=True)()
    >>> out.tolist()
    [4, 0, 0]

    Raises:
        ValueError, TypeError: an array has another size or type, or a place or a shift is out of range.
    """
    return _native.plain.activate(
        x, index=index, offset=offset, above=above, shift=shift, is_relu=is_relu, out=out
    )


def fill_channels_task(values: np.ndarray, out: np.ndarray) -> Task:
    """Returns a call that fills each channel of `out` with one value, for any number of uses.

    Args:
        values: uint32 (channels,).
        out: uint32 (batch, channels, ...), C-contiguous.

    >>> out = np.zeros((2, 2, 1), np.uint32)
    >>> fill_channels_task(np.array([5, 6], np.uint32), out)()
    >>> out.reshape(-1).tolist()
    [5, 6, 5, 6]

    Raises:
        ValueError, TypeError: an array has another size or type.
    """
    return _native.plain.fill_channels(values, samples=len(out), out=out)
