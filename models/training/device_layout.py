"""The place and the layout of a module's weights during a training."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn

_BLOCK_CHANNELS = 16
"""The channels per block of oneDNN's kernels with AVX-512; 8 with AVX2, where the fault was seen up to 7."""


def move_to_device(module: nn.Module, device: torch.device) -> None:
    """Moves a module to the computing device in place, with its weights in channels-last layout.

    On a CPU, strided convolutions of one pixel with few channels read a contiguous input. oneDNN, as torch
    2.13 has it, writes past the end of a buffer when it computes their weights' gradient from an input that
    is channels-last (issue 6035 of oneDNN). A (16, 3, 8, 8) input with stride 2 ended Python on AVX2.

    >>> module = nn.Conv2d(2, 3, 3)
    >>> move_to_device(module, torch.device("cpu"))
    >>> module.weight.is_contiguous(memory_format=torch.channels_last)
    True
    """
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device.type != "cpu":
        return
    for part in module.modules():
        if _skips_pixels(part):
            _make_contiguous(part)


def _skips_pixels(part: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Returns whether a module is a strided convolution of one pixel with fewer channels than a block."""
    return (
        isinstance(part, nn.Conv2d)
        and part.kernel_size == (1, 1)
        and part.stride != (1, 1)
        and part.in_channels < _BLOCK_CHANNELS
    )


def _make_contiguous(part: nn.Conv2d) -> None:
    """Gives a convolution contiguous weights and, from now on, contiguous inputs.

    Weights of one pixel count as contiguous in either layout; torch goes by their strides.
    """
    weight = torch.empty_like(part.weight.data, memory_format=torch.contiguous_format)
    part.weight.data = weight.copy_(part.weight.data)
    if _contiguous_input not in part._forward_pre_hooks.values():
        part.register_forward_pre_hook(_contiguous_input)


def _contiguous_input(part: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Makes the input contiguous if gradients are computed, so that a network is exported as it is."""
    return tuple(value.contiguous() if torch.is_grad_enabled() else value for value in inputs)
