"""The torch module of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .merging.network import merge
from .networks.cryptonas import CryptoNas
from .networks.masked_polynomial import place_masked_polynomials
from .networks.masked_relu import mask_relus
from .networks.minionn import Minionn
from .networks.mixed import place_mixtures
from .networks.mobilenet_v1 import MobileNetV1
from .networks.mobilenet_v2 import MobileNetV2
from .networks.polynomial import place_polynomials
from .networks.removed_relu import remove_relus
from .networks.resnet import ResNet
from .networks.sphynx import Sphynx
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
    "cryptonas": CryptoNas,
    "sphynx": Sphynx,
}


def build(recipe: Recipe, device: torch.device | str = "cpu") -> nn.Module:
    """Returns the recipe's network in evaluation mode, with weights as torch initializes them.

    If the recipe has masks, they keep every ReLU until weights are loaded.

    Raises:
        ModelError: Masks or polynomials are for layers that cannot have them (ReLU6), or layers cannot be
            merged.

    >>> from pi_bench.models import load_recipe
    >>> network = build(load_recipe("resnet18-cifar100-12288"), "meta")
    >>> network(torch.empty(1, 3, 32, 32, device="meta")).shape
    torch.Size([1, 100])
    """
    with torch.device(device):
        module = _NETWORKS[recipe.family](recipe)
        if recipe.kept_relus is not None:
            with_polynomials = list(recipe.masked_polynomial_layers())
            place_masked_polynomials(module, with_polynomials, recipe.masks)
            replaced = {path for path, _, _ in with_polynomials}
            plain = (layer for layer in recipe.relu_shapes() if layer[0] not in replaced)
            mask_relus(module, plain, recipe.masks)
        place_polynomials(module, recipe.polynomial_layers())
        place_mixtures(module, recipe.mixture_layers())
        remove_relus(module, recipe.identity_layers())
        module.eval()
        return module if recipe.merged is None else merge(module, recipe)
