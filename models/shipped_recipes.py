"""The recipes that come with pi-bench: every file in recipes/, by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pi_bench.errors import ModelError, UsageError
from pi_bench.unknown_name import unknown_name

from .recipe import Recipe
from .recipe_schema import parse_recipe


def recipe_names() -> list[str]:
    """Returns the names of the recipes that come with pi-bench, by data set, most ReLUs first.

    >>> "resnet18-cifar100-12288" in recipe_names()
    True
    """
    return list(_shipped())


def load_recipe(name: str) -> Recipe:
    """Returns the recipe of that name.

    Raises:
        UsageError: There is no such recipe. The message suggests similar names.

    >>> load_recipe("resnet18-cifar100-12288").relu_count
    12288
    """
    shipped = _shipped()
    if name in shipped:
        return shipped[name]
    raise UsageError(unknown_name("recipe", name, shipped, listed="`pi-bench export --list` shows all"))


def full_recipe(network: str, data: str) -> Recipe | None:
    """Returns the recipe with all its ReLUs whose name starts with `network`, such as "resnet18".

    The recipe for `data` is preferred, then the one for the smallest images. None means that there is none.

    >>> full_recipe("resnet18", "tinyimagenet").name, full_recipe("alexnet", "digits")
    ('resnet18-tinyimagenet-2228224', None)
    """
    found = [
        recipe
        for name, recipe in _shipped().items()
        if name.startswith(f"{network}-") and not recipe.culled_stages and not recipe.thinned_stages
    ]
    found.sort(key=lambda recipe: (recipe.dataset != data, recipe.input_shape[1:], -recipe.relu_count))
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
