"""From a recipe to its torch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .merging.network import merge
from .networks.masked_relu import mask_relus
from .networks.minionn import Minionn
from .networks.mobilenet_v1 import MobileNetV1
from .networks.mobilenet_v2 import MobileNetV2
from .networks.polynomial import place_polynomials
from .networks.resnet import ResNet
from .networks.vgg import Vgg
from .networks.wide_resnet import WideResNet
from .recipe import Recipe

_NETWORKS: dict[str, Callable[[Any], nn.Module]] = {
    "resnet": ResNet,
    "wide_resnet": WideResNet,
    "vgg": Vgg,
    "mobilenet_v1": MobileNetV1,
    "mobilenet_v2": MobileNetV2,
    "minionn": Minionn,
}


def build(recipe: Recipe, device: torch.device | str = "cpu") -> nn.Module:
    """The recipe's network in evaluation mode; weights as torch initializes them (global generator).

    Masks, where the recipe has some, keep everything: which ReLUs they are to keep comes with the weights.

    Raises:
        ModelError: masks or polynomials for ReLUs that cannot have them (ReLU6), or layers that cannot be
            merged.
    """
    with torch.device(device):
        module = _NETWORKS[recipe.family](recipe)
        if recipe.kept_relus is not None:
            mask_relus(module, recipe.relu_shapes(), recipe.masks)
        place_polynomials(module, recipe.polynomial_layers(), recipe.polynomial_degree)
        module.eval()
        return module if recipe.merged is None else merge(module, recipe)
