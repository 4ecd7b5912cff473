"""Convolutions of integer weights with ring elements: exact mod 2^32 for every weight and size.

A word of Z_2^32 is split into two signed 16-bit limbs; their products with 16-bit weights add up in
32-bit lanes, which wrap as the ring does. A fully connected operator has one row and one column.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native


class RingConvolution:
    """The shape of one operator, all of it public, and its kernel.

    in_shape (batch, in, h, w), out_shape (batch, out, oh, ow); `padding`: zeros at the top and left,
    those below and to the right follow from out_shape. Group g of `groups` connects the g-th parts of the
    input and output channels.

    Raises:
        ValueError: an extent that is zero or beyond what memory can hold.
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
        """int16 (out, in / groups, kh, kw) in the kernel's order, for any number of uses."""
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
        """``out += (weights * share * multiplier) << shift_bits[channel]`` mod 2^32.

        share uint32 in_shape, out uint32 out_shape, shift_bits uint8 (out,) below 32, workspace uint32
        (at least `workspace_words`,), all C-contiguous. `kernel`: "portable", "avx2", "vnni512" or the best
        of this processor. The time depends on the shape alone.

        Raises:
            ValueError, TypeError: an array of another size or type; a shift beyond 31.
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


def scale_add(x: np.ndarray, multiplier: int, shift_bits: np.ndarray, out: np.ndarray) -> None:
    """``out += (x * multiplier) << shift_bits[channel]`` mod 2^32; uint32, batch first, then channels."""
    _native.linear.scale_add(
        x, samples=len(x), multiplier=multiplier & 0xFFFFFFFF, shift_bits=shift_bits, out=out
    )
