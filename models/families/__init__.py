"""The families of networks, one file per family: the keys of their recipes, and their operators.

To add a family, write a class of recipes here and a torch module of the same name in `networks`, and add a
line to both registries (here and in `building`). Nothing here imports torch.
"""

from __future__ import annotations

from ..recipe import Recipe
from .cryptonas import CryptoNasRecipe
from .minionn import MinionnRecipe
from .mobilenet_v1 import MobileNetV1Recipe
from .mobilenet_v2 import MobileNetV2Recipe
from .resnet import ResNetRecipe
from .sphynx import SphynxRecipe
from .vgg import VggRecipe
from .wide_resnet import WideResNetRecipe

FAMILIES: dict[str, type[Recipe]] = {
    recipe.family: recipe
    for recipe in (
        ResNetRecipe,
        WideResNetRecipe,
        VggRecipe,
        MobileNetV1Recipe,
        MobileNetV2Recipe,
        MinionnRecipe,
        CryptoNasRecipe,
        SphynxRecipe,
    )
}
