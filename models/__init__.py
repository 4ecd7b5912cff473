"""Networks to measure: recipes, their torch modules, random weights. Importing this imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .deepreduce_plan import narrowed
from .linearization.relu_placement import snl_placement
from .recipe import Recipe
from .recipe_schema import parse_recipe, with_polynomials
from .shipped_recipes import full_recipe, load_recipe, recipe_names

if TYPE_CHECKING:
    from .networks.polynomial import PolynomialActivation
    from .recipe_export import export_recipe

__all__ = [
    "PolynomialActivation",
    "Recipe",
    "export_recipe",
    "full_recipe",
    "load_recipe",
    "narrowed",
    "parse_recipe",
    "recipe_names",
    "snl_placement",
    "with_polynomials",
]


def __getattr__(name: str) -> Any:
    if name == "export_recipe":
        from .recipe_export import export_recipe

        return export_recipe
    if name == "PolynomialActivation":
        from .networks.polynomial import PolynomialActivation

        return PolynomialActivation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
