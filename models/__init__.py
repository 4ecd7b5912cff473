"""Networks to measure: recipes, their torch modules, random weights. Importing this imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalogue import full_recipe, load_recipe, recipe_names
from .deepreduce import narrowed
from .linearization.placement import snl_placement
from .recipe import Recipe
from .recipe_schema import parse_recipe

if TYPE_CHECKING:
    from .recipe_export import export_recipe

__all__ = [
    "Recipe",
    "export_recipe",
    "full_recipe",
    "load_recipe",
    "narrowed",
    "parse_recipe",
    "recipe_names",
    "snl_placement",
]


def __getattr__(name: str) -> Any:
    if name != "export_recipe":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .recipe_export import export_recipe

    return export_recipe
