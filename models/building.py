"""From a recipe to its torch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .networks.resnet import ResNet
from .recipe import Recipe

_NETWORKS: dict[str, Callable[[Any], nn.Module]] = {"resnet": ResNet}


def build(recipe: Recipe, device: torch.device | str = "cpu") -> nn.Module:
    """The recipe's network in evaluation mode; weights as torch initializes them (global generator)."""
    with torch.device(device):
        return _NETWORKS[recipe.family](recipe).eval()
