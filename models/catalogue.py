"""The recipes that come with pi-bench: every file of recipes/, by name."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files

from pi_bench.errors import ModelError

from .recipe import Recipe
from .recipe_schema import parse_recipe


def recipe_names() -> list[str]:
    """Names of the recipes that come with pi-bench, by dataset, most ReLUs first."""
    return list(_shipped())


def load_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ModelError: no such recipe; the message suggests near names.
    """
    shipped = _shipped()
    if name in shipped:
        return shipped[name]
    near = difflib.get_close_matches(name, shipped, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`pi-bench export --list` shows all"
    raise ModelError(f"there is no recipe {name!r}: {hint}")


def full_recipe(network: str, data: str) -> Recipe | None:
    """The shipped network with all its ReLUs whose recipe's name starts with `network` (as resnet18).

    That for `data` if there is one, otherwise that for the smallest images; None where there is none.
    """
    found = [
        recipe
        for name, recipe in _shipped().items()
        if name.startswith(f"{network}-") and not recipe.culled_stages and not recipe.thinned_stages
    ]
    found.sort(key=lambda recipe: (recipe.dataset != data, recipe.input_shape, -recipe.relu_count))
    return found[0] if found else None


@cache
def _shipped() -> dict[str, Recipe]:
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in files(__package__).joinpath("recipes").iterdir()
        if entry.name.endswith(".toml")
    }
    recipes = [parse_recipe(text, name) for name, text in texts.items()]
    recipes.sort(key=lambda recipe: (recipe.dataset, -recipe.relu_count, recipe.name))
    by_name = {recipe.name: recipe for recipe in recipes}
    if len(by_name) != len(recipes):
        raise ModelError("two recipes have the same name")
    return by_name
