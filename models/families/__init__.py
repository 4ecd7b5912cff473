"""The families of networks, one file each: the keys of their recipes, and what they are made of.

To add one: a class of recipes here, its torch module of the same name in `networks`, and a line in
both registries. Nothing here imports torch.
"""

from __future__ import annotations

from ..recipe import Recipe
from .resnet import ResNetRecipe

FAMILIES: dict[str, type[Recipe]] = {recipe.family: recipe for recipe in (ResNetRecipe,)}
