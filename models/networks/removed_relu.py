"""Layers whose ReLU a recipe removes by name, so that a training can remove it step by step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional


class RemovedReLU(nn.Identity):
    """A layer that returns its input.

    Attributes:
        relu_part: the part r of ReLU, r * ReLU + (1 - r) * x, while a training removes ReLUs step by step. It
            is no weight, and 0 outside of such a training.

    >>> layer, x = RemovedReLU(), torch.tensor([-4.0, 4.0])
    >>> layer(x), list(layer.state_dict())
    (tensor([-4.,  4.]), [])
    >>> layer.relu_part = 0.25
    >>> layer(x)
    tensor([-3.,  4.])
    """

    def __init__(self) -> None:
        super().__init__()
        self.relu_part = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for values of any shape."""
        return torch.lerp(x, functional.relu(x), self.relu_part) if self.relu_part else x


def remove_relus(module: nn.Module, paths: Iterable[str]) -> None:
    """Replaces the activations at `paths` by layers that return their input, in place.

    >>> module = nn.Sequential(nn.ReLU())
    >>> remove_relus(module, ["0"])
    >>> module
    Sequential(
      (0): RemovedReLU()
    )
    """
    for path in paths:
        parent, _, name = path.rpartition(".")
        setattr(module.get_submodule(parent), name, RemovedReLU())


def removed_relus(module: nn.Module) -> dict[str, RemovedReLU]:
    """Returns the layers of `module` whose ReLUs were removed by name, by path.

    >>> list(removed_relus(nn.Sequential(nn.Identity(), RemovedReLU())))
    ['1']
    """
    return {path: part for path, part in module.named_modules() if isinstance(part, RemovedReLU)}
