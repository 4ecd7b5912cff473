"""The recipes of networks whose masks keep a given number of ReLUs."""

from __future__ import annotations

import dataclasses
import math

from ..criticality import base_name
from ..recipe import Recipe


def masked_recipe(recipe: Recipe, masks: str, count: int, method: str = "snl") -> Recipe:
    """Returns `recipe` with masks that keep `count` ReLUs.

    Args:
        masks: "pixel" or "channel".
        method: the name of the method that chose the masks, for the network's name.

    >>> from pi_bench.models import load_recipe
    >>> masked_recipe(load_recipe("resnet18-cifar100-557056"), "channel", 4096).name
    'resnet18-cifar100-snl-channel-4096'
    """
    middle = method if masks == "pixel" else f"{method}-channel"
    return dataclasses.replace(
        recipe,
        name=f"{base_name(recipe)}-{middle}-{count}",
        kept_relus=count,
        masks=masks,
        published=None,
    )


def fewest_relus(recipe: Recipe, masks: str) -> int:
    """Returns the fewest ReLUs, above 0, that masks of `recipe` can keep.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("resnet18-cifar100-557056")
    >>> fewest_relus(recipe, "pixel"), fewest_relus(recipe, "channel")
    (1, 16)
    """
    if masks == "pixel":
        return 1
    return min(math.prod(shape[1:]) for _, shape in recipe.relu_shapes())
