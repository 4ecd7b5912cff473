"""The place and the layout of a module's weights during a training."""

from __future__ import annotations

import torch
from torch import nn


def move_to_device(module: nn.Module, device: torch.device) -> None:
    """Moves a module to the computing device in place, with its weights in channels-last layout.

    >>> module = nn.Conv2d(2, 3, 3)
    >>> move_to_device(module, torch.device("cpu"))
    >>> module.weight.is_contiguous(memory_format=torch.channels_last)
    True
    """
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
