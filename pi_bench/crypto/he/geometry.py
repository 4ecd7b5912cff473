"""Describes convolutions to the packing, in a normal form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pi_bench.shape import Shape


@dataclass(frozen=True, slots=True)
class LinearShape:
    """Describes a convolution, or a fully connected layer if the shapes have no rows and columns.

    >>> LinearShape("conv1", (1, 3, 9, 9), (1, 16, 7, 7), kernel=(3, 3)).weight_shape
    (16, 3, 3, 3)
    >>> LinearShape("dense", (1, 512), (1, 10)).weight_shape
    (10, 512)
    """

    name: str  # in errors
    in_shape: Shape  # (batch, in, h, w) or (batch, in)
    out_shape: Shape  # (batch, out, oh, ow) or (batch, out)
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, bottom, left, right
    dilation: tuple[int, int] = (1, 1)

    @property
    def weight_shape(self) -> Shape:
        """The shape (out, in, kh, kw) or (out, in)."""
        taps = self.kernel if len(self.in_shape) == 4 else ()
        return (self.out_shape[1], self.in_shape[1], *taps)


@dataclass(frozen=True)
class Geometry:
    """Describes one convolution in a normal form.

    A 1x1 convolution without padding has stride 1, because the input is subsampled first. Rows and columns
    that no window reads are dropped.

    >>> geometry = Geometry.of(LinearShape("skip", (1, 3, 32, 32), (1, 16, 16, 16), stride=(2, 2)))
    >>> geometry.height, geometry.stride, geometry.subsample
    (16, (1, 1), (2, 2))
    """

    batch: int
    in_channels: int
    out_channels: int
    height: int  # of the input after subsampling, dropping and folding
    width: int
    kernel: tuple[int, int]
    dilation: tuple[int, int]
    extent: tuple[int, int]  # rows and columns from the first that a window reads to the last
    stride: tuple[int, int]
    subsample: tuple[int, int]
    out_height: int
    out_width: int
    top: int
    bottom: int
    left: int
    right: int
    fold: tuple[int, int] = (1, 1)
    shift: tuple[int, int] = (0, 0)  # padding in rows and columns before folding beyond the real one

    @property
    def is_pointwise(self) -> bool:
        """Whether the kernel has one tap and reads the input without stride or padding."""
        return self.kernel == self.stride == (1, 1) and self.top == self.left == 0

    @property
    def phases(self) -> int:
        """The number of channels that one channel becomes by folding."""
        return self.fold[0] * self.fold[1]

    @classmethod
    def of(cls, shape: LinearShape) -> Geometry:
        """Brings `shape` into the normal form."""
        batch, in_channels, height, width = (*shape.in_shape, 1, 1)[:4]
        _, out_channels, out_height, out_width = (*shape.out_shape, 1, 1)[:4]
        top, _, left, _ = shape.padding
        kernel, stride, subsample = shape.kernel, shape.stride, (1, 1)
        if kernel == (1, 1) and not any(shape.padding):
            subsample, stride = stride, (1, 1)
            height, width = -(-height // subsample[0]), -(-width // subsample[1])
        rows, columns = ((taps - 1) * step + 1 for taps, step in zip(kernel, shape.dilation, strict=True))
        bottom = (out_height - 1) * stride[0] + rows - top - height
        right = (out_width - 1) * stride[1] + columns - left - width
        return cls(
            batch, in_channels, out_channels, height + min(bottom, 0), width + min(right, 0), kernel,
            shape.dilation, (rows, columns), stride, subsample, out_height, out_width, top, max(bottom, 0),
            left, max(right, 0),
        )  # fmt: skip

    def folded(self) -> Geometry:
        """Returns the same convolution with stride 1, on channels of every stride-th row and column.

        Input channel b becomes stride * stride channels, one for each remainder of row and column. Outputs
        are then neighbors in the input's order, and the answer has no gaps between them.

        >>> conv = LinearShape("conv", (1, 3, 32, 32), (1, 16, 16, 16), (3, 3), (2, 2), (1, 1, 1, 1))
        >>> folded = Geometry.of(conv).folded()
        >>> folded.height, folded.phases, folded.extent, folded.taps(0).tolist()
        (16, 4, (2, 2), [[0, 1], [1, 0], [1, 1]])
        """
        before = (self.top, self.left)
        sizes = (self.height, self.width)
        padding = [-(-pad // step) for pad, step in zip(before, self.stride, strict=True)]
        shift = [first * step - pad for first, step, pad in zip(padding, self.stride, before, strict=True)]
        shorter = [-(-size // step) for size, step in zip(sizes, self.stride, strict=True)]
        extent = [
            (gap + reach - 1) // step + 1
            for gap, reach, step in zip(shift, self.extent, self.stride, strict=True)
        ]
        outs = (self.out_height, self.out_width)
        after = [
            max(out - 1 + reach - first - size, 0)
            for out, reach, first, size in zip(outs, extent, padding, shorter, strict=True)
        ]
        return replace(
            self, height=shorter[0], width=shorter[1], extent=(extent[0], extent[1]), stride=(1, 1),
            top=padding[0], bottom=after[0], left=padding[1], right=after[1], fold=self.stride,
            shift=(shift[0], shift[1]),
        )  # fmt: skip

    def taps(self, axis: int) -> np.ndarray:
        """Returns for each tap of an axis, from its window's first row or column on, the step and the phase.

        int64 (taps, 2). Without folding, the phase is 0.
        """
        reads = np.arange(self.kernel[axis]) * self.dilation[axis] + self.shift[axis]
        return np.stack(np.divmod(reads, self.fold[axis]), axis=1)

    def fold_input(self, image: np.ndarray) -> np.ndarray:
        """Subsamples and folds (batch, in, h, w) to (batch, in * phases, height, width).

        With more than one phase, the result is a copy, which the caller wipes. Else it is a view of `image`.

        >>> shape = LinearShape("conv", (1, 1, 4, 4), (1, 1, 2, 2), (2, 2), (2, 2))
        >>> Geometry.of(shape).folded().fold_input(np.arange(16).reshape(1, 1, 4, 4))[0, 1].tolist()
        [[1, 3], [9, 11]]
        """
        image = image[:, :, :: self.subsample[0], :: self.subsample[1]]
        down, across = self.fold
        height, width = self.height * down, self.width * across
        image = image[:, :, :height, :width]
        if self.phases == 1:
            return image
        whole = np.zeros((self.batch, self.in_channels, height, width), image.dtype)
        whole[:, :, : image.shape[2], : image.shape[3]] = image
        parts = whole.reshape(self.batch, self.in_channels, self.height, down, self.width, across)
        channels = self.in_channels * self.phases  # -1 would fail where no window reads the image
        # An explicit copy: with axes of length 1, the new order could be a view of `whole`.
        folded = parts.transpose(0, 1, 3, 5, 2, 4).copy()
        whole.fill(0)  # the masks are secret
        return folded.reshape(self.batch, channels, self.height, self.width)
