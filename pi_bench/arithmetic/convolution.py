"""Convolves integer weights with ring elements: exact mod 2^32 for every weight and size.

A word of Z_2^32 is split into two signed 16-bit limbs. Their products with 16-bit weights add up in 32-bit
lanes, which wrap as the ring does. A fully connected operator has one row and one column.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native

Task = _native.schedule.Task
"""A native call with its arguments, which a `pi_bench.channel.schedule.Schedule` makes without Python."""


class RingConvolution:
    """Holds the shape of one operator, all of it public, and its kernel.

    Group g of `groups` connects the g-th parts of the input and output channels.

    Args:
        in_shape: (batch, in, h, w).
        out_shape: (batch, out, oh, ow).
        padding: zeros at the top and left; those at the bottom and right follow from `out_shape`.

    >>> layer = RingConvolution((1, 1, 3, 3), (1, 1, 2, 2), kernel=(2, 2))
    >>> packed = layer.pack(np.array([[[[1, 0], [0, -1]]]], np.int16))
    >>> share = np.arange(9, dtype=np.uint32).reshape(1, 1, 3, 3)
    >>> out, workspace = np.zeros((1, 1, 2, 2), np.uint32), np.empty(layer.workspace_words, np.uint32)
    >>> layer.add(packed, share, 1, np.zeros(1, np.uint8), workspace, out)
    >>> out.view(np.int32).tolist()
    [[[[-4, -4], [-4, -4]]]]

    Raises:
        ValueError: an extent is zero or beyond what memory can hold, or `groups` does not divide the
        channels.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> None:
        self._native = _native.linear.Convolution(
            in_shape=in_shape,
            out_shape=out_shape,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        self.workspace_words = self._native.workspace_words
        """The least number of items in the workspace of `add`."""

    def pack(self, weights: np.ndarray) -> np.ndarray:
        """Orders weights, int16 (out, in / groups, kh, kw), for the kernel, for any number of uses.

        Raises:
            ValueError, TypeError: the weights have another size or type.
        """
        packed = np.empty(self._native.packed_weight_count, np.int16)
        _native.linear.pack(self._native, weights, packed)
        return packed

    def add(
        self,
        packed: np.ndarray,
        share: np.ndarray,
        multiplier: int,
        shift_bits: np.ndarray,
        workspace: np.ndarray,
        out: np.ndarray,
        threads: int = 1,
        *,
        kernel: str = "",
    ) -> None:
        """Adds ``(weights * share * multiplier) << shift_bits[channel]`` mod 2^32 to `out`, in place.

        The time depends on the shape alone.

        Args:
            share: uint32 in_shape.
            out: uint32 out_shape.
            shift_bits: uint8 (out,), each below 32.
            workspace: uint32, at least `workspace_words` items. All four arrays are C-contiguous.
            kernel: "portable", "avx2", "vnni512", or "" for the best of this processor.

        Raises:
            ValueError, TypeError: an array has another size or type, or a shift is beyond 31.
            RuntimeError: the processor lacks the kernel.
        """
        _native.linear.convolve_add(
            self._native,
            packed=packed,
            share=share,
            multiplier=multiplier & 0xFFFFFFFF,
            shift_bits=shift_bits,
            workspace=workspace,
            out=out,
            threads=threads,
            kernel=kernel,
        )

    def task(
        self,
        packed: np.ndarray,
        share: np.ndarray,
        multiplier: int,
        shift_bits: np.ndarray,
        workspace: np.ndarray,
        out: np.ndarray,
        threads: int = 1,
    ) -> Task:
        """Returns the call of `add` with these arguments, for any number of uses. Raises as `add` does.

        >>> layer = RingConvolution((1, 1, 1, 1), (1, 1, 1, 1))
        >>> share, out = np.full((2, 1, 1, 1, 1), 5, np.uint32)
        >>> packed, work = layer.pack(np.full((1, 1, 1, 1), 3, np.int16)), np.empty(2, np.uint32)
        >>> task = layer.task(packed, share, 1, np.zeros(1, np.uint8), work, out)
        >>> task(), task(), out.item()
        (None, None, 35)
        """
        return _native.linear.convolve_add_task(
            self._native,
            packed=packed,
            share=share,
            multiplier=multiplier & 0xFFFFFFFF,
            shift_bits=shift_bits,
            workspace=workspace,
            out=out,
            threads=threads,
            kernel="",
        )


def scale_add(x: np.ndarray, multiplier: int, shift_bits: np.ndarray, out: np.ndarray) -> None:
    """Adds ``(x * multiplier) << shift_bits[channel]`` mod 2^32 to `out`, in place.

    Args:
        x, out: uint32 (batch, channels, ...), C-contiguous.
        shift_bits: uint8 (channels,), each below 32.

    >>> out = np.array([[1, 1]], np.uint32)
    >>> scale_add(np.array([[5, 7]], np.uint32), 2, np.array([0, 3], np.uint8), out)
    >>> out.tolist()  # 1 + 5 * 2, 1 + (7 * 2 << 3)
    [[11, 113]]

    Raises:
        ValueError, TypeError: an array has another size or type, or a shift is beyond 31.
    """
    _native.linear.scale_add(
        x, samples=len(x), multiplier=multiplier & 0xFFFFFFFF, shift_bits=shift_bits, out=out
    )


def scale_add_task(x: np.ndarray, multiplier: int, shift_bits: np.ndarray, out: np.ndarray) -> Task:
    """Returns the call of `scale_add` with these arguments, for any number of uses. Raises as it does.

    >>> out = np.zeros((1, 1), np.uint32)
    >>> task = scale_add_task(np.array([[5]], np.uint32), 2, np.array([3], np.uint8), out)
    >>> task(), out.item()
    (None, 80)
    """
    return _native.linear.scale_add_task(
        x, samples=len(x), multiplier=multiplier & 0xFFFFFFFF, shift_bits=shift_bits, out=out
    )
