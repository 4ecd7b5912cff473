"""Networks to measure: recipes, their torch modules, random weights. Importing this imports no torch."""

from .catalogue import load_recipe, recipe_names
from .recipe import Recipe
from .recipe_schema import parse_recipe

__all__ = ["Recipe", "load_recipe", "parse_recipe", "recipe_names"]
