"""The ReLUs that SNL chooses from: those in blocks, after batch norms and additions."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..criticality import base_name
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe


def snl_placement(recipe: Recipe) -> Recipe:
    """Returns `recipe` without the ReLUs of its stem and head, which networks of the SNL paper do not have.

    A recipe without such ReLUs is returned unchanged.

    >>> from pi_bench.models import load_recipe
    >>> snl_placement(load_recipe("resnet18-cifar100-557056")).relu_count
    491520
    """
    outside: dict[str, Any] = {
        name: False for name in ("stem_relu", "head_relu") if getattr(recipe, name, False)
    }
    if not outside:
        return recipe
    left = dataclasses.replace(recipe, published=None, **outside)
    name = f"{base_name(recipe)}-{left.relu_count}"
    return parse_recipe(format_recipe(dataclasses.replace(left, name=name)), name)
