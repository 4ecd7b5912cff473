"""Where SNL has ReLUs to choose from: behind the batch norms and additions of blocks, and nowhere else."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..criticality import base_name
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe


def snl_placement(recipe: Recipe) -> Recipe:
    """`recipe` without the ReLUs of its stem and head, as the published networks of SNL are.

    ResNet18 for CIFAR then has 491,520 of 557,056; a recipe without such ReLUs is returned as it is.
    """
    outside: dict[str, Any] = {
        name: False for name in ("stem_relu", "head_relu") if getattr(recipe, name, False)
    }
    if not outside:
        return recipe
    left = dataclasses.replace(recipe, published=None, **outside)
    name = f"{base_name(recipe)}-{left.relu_count}"
    return parse_recipe(format_recipe(dataclasses.replace(left, name=name)), name)
