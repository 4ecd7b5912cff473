"""Affine maps between feature maps as one convolution each, and their composition.

Zero padding between two convolutions is ignored: the composition reads values of the first one beyond the
border as if they had been computed there. Both are equal where no tap meets a border.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """An affine map between feature maps.

    For rows, and in the same way for columns, it computes
    out[o, y] = bias[o] + sum of weight[o, i, a] * in[i, stride * y - padding + a].

    Attributes:
        weight: float64 (out, in, size, size).
        bias: float64 (out,).
        depth: the number of composed layers; 0 is the identity.

    >>> cpu = torch.device("cpu")
    >>> mean = of_mean(1, 2, cpu)
    >>> twice = mean.after(mean)
    >>> twice.size, twice.stride, twice.depth
    (4, 4, 2)
    """

    weight: Tensor
    bias: Tensor
    stride: int = 1
    padding: int = 0
    depth: int = 1

    @property
    def plain(self) -> bool:
        """Whether the map is the identity."""
        return self.depth == 0

    @property
    def size(self) -> int:
        """The side of the kernel."""
        return self.weight.shape[-1]

    def after(self, first: Kernel) -> Kernel:
        """Returns this map after `first`, a kernel of size first.size + first.stride * (size - 1)."""
        if first.plain:
            return self
        if self.plain:
            return first
        # Taps of this kernel lie `first.stride` pixels of the input apart; each lays down a copy of `first`.
        return Kernel(
            functional.conv_transpose2d(self.weight, first.weight, stride=first.stride),
            self.bias + self.weight.sum(dim=(2, 3)) @ first.bias,
            first.stride * self.stride,
            first.padding + first.stride * self.padding,
            first.depth + self.depth,
        )

    def plus(self, other: Kernel) -> Kernel:
        """Returns the sum of both maps.

        Raises:
            ModelError: The strides differ, so the sum is not a convolution.
        """
        if self.stride != other.stride:
            raise ModelError(f"a sum of convolutions of strides {self.stride} and {other.stride} is none")
        before = max(self.padding, other.padding)
        end = max(one.size - one.padding for one in (self, other))
        wide = [
            _extended(one.weight, before - one.padding, end + one.padding - one.size) for one in (self, other)
        ]
        depth = max(self.depth, other.depth, 1)
        return Kernel(wide[0] + wide[1], self.bias + other.bias, self.stride, before, depth)

    def followed_by_gain(self, gain: Tensor, shift: Tensor) -> Kernel:
        """Returns the map followed by a batch normalization, gain * out + shift."""
        return replace(self, weight=self.weight * gain[:, None, None, None], bias=self.bias * gain + shift)

    def without_bias(self) -> Kernel:
        """Returns the map with bias 0."""
        return replace(self, bias=torch.zeros_like(self.bias))

    def cropped(self, side: int, out_side: int) -> Kernel:
        """Returns the map without rows and columns of taps that meet no pixel of a map of `side`.

        Rows and columns stay if a convolution with equal padding on all sides needs them.
        """
        # Tap a of output y meets input stride * y - padding + a.
        reach = self.stride * (out_side - 1)
        front = max(0, self.padding - reach)
        back = max(0, self.size - (side + self.padding))
        weight = self.weight[:, :, front : self.size - back, front : self.size - back]
        return replace(self, weight=weight, padding=self.padding - front)

    def inside(self, side: int, out_side: int) -> slice:
        """Returns the rows of the output whose taps all meet pixels of a map of `side`."""
        first = min(out_side, -(-self.padding // self.stride))
        end = (side + self.padding - self.size) // self.stride + 1
        return slice(first, max(first, min(end, out_side)))

    def on_whole_map(self, side: int) -> Tensor:
        """Returns the matrix (out, in * side * side) of the only output on a map of (in, side, side)."""
        end = max(0, side + self.padding - self.size)
        window = functional.pad(self.weight, (0, end, 0, end))
        rows = slice(self.padding, self.padding + side)
        return window[:, :, rows, rows].flatten(1)


def identity(channels: int, device: torch.device) -> Kernel:
    """Returns the identity on maps of `channels` channels.

    >>> identity(3, torch.device("cpu")).plain
    True
    """
    weight = torch.eye(channels, dtype=torch.float64, device=device)[:, :, None, None]
    return Kernel(weight, weight.new_zeros(channels), depth=0)


def of_convolution(layer: nn.Conv2d) -> Kernel:
    """Returns the map of a convolution; a grouped one becomes dense.

    Raises:
        ModelError: The convolution is not square, or it is dilated.

    >>> of_convolution(nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4)).weight.shape
    torch.Size([4, 4, 3, 3])
    """
    if len({*layer.kernel_size}) + len({*layer.stride}) + len({*map(str, layer.padding)}) != 3:
        raise ModelError("merging needs convolutions whose kernel, stride and padding are square")
    if layer.dilation != (1, 1) or not isinstance(layer.padding, tuple):
        raise ModelError("merging needs convolutions without dilation, and with padding in numbers")
    weight = layer.weight.detach().double()
    if layer.groups > 1:
        dense = weight.new_zeros(layer.out_channels, layer.in_channels, *layer.kernel_size)
        outs, ins = layer.out_channels // layer.groups, layer.in_channels // layer.groups
        for group in range(layer.groups):
            rows, columns = slice(group * outs, (group + 1) * outs), slice(group * ins, (group + 1) * ins)
            dense[rows, columns] = weight[rows]
        weight = dense
    bias = weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias.detach().double()
    return Kernel(weight, bias, layer.stride[0], layer.padding[0])


def of_linear(layer: nn.Linear, channels: int, side: int) -> Kernel:
    """Returns the map of a fully connected layer on (channels, side, side), a kernel as large as its input.

    >>> of_linear(nn.Linear(2 * 4 * 4, 10), 2, 4).weight.shape
    torch.Size([10, 2, 4, 4])
    """
    weight = layer.weight.detach().double().reshape(-1, channels, side, side)
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().double()
    return Kernel(weight, bias, side)


def of_mean(channels: int, size: int, device: torch.device) -> Kernel:
    """Returns the map of an average pooling over windows without overlap.

    >>> of_mean(1, 2, torch.device("cpu")).weight.flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    taps = identity(channels, device).weight.expand(-1, -1, size, size) / size**2
    return Kernel(taps.contiguous(), taps.new_zeros(channels), size)


def of_pad_shortcut(channels: int, padded: tuple[int, int], stride: int, device: torch.device) -> Kernel:
    """Returns the map that takes every `stride`-th pixel and adds channels of zeros.

    Args:
        padded: the numbers of channels before and after the `channels` that it reads.

    >>> of_pad_shortcut(2, (1, 1), 2, torch.device("cpu")).weight[:, :, 0, 0].sum(dim=1).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    weight = functional.pad(identity(channels, device).weight, (0, 0, 0, 0, 0, 0, *padded))
    return Kernel(weight, weight.new_zeros(len(weight)), stride)


def gain_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Returns gain and shift, float64 (channels,) each, that the layer applies in evaluation mode.

    >>> gain, shift = gain_and_shift(nn.BatchNorm2d(1, eps=0.0))
    >>> float(gain), float(shift) == 0
    (1.0, True)
    """
    assert norm.running_mean is not None and norm.running_var is not None
    gain = 1 / (norm.running_var.detach().double() + norm.eps).sqrt()
    shift = -norm.running_mean.detach().double() * gain
    if norm.affine:
        weight, bias = norm.weight.detach().double(), norm.bias.detach().double()
        gain, shift = gain * weight, shift * weight + bias
    return gain, shift


def _extended(weight: Tensor, before: int, after: int) -> Tensor:
    return functional.pad(weight, (before, after, before, after))
