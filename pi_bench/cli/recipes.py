"""Recipes as the command line names them."""

from __future__ import annotations

from typing import Any

from pi_bench.errors import ModelError


def recipe_of(models: Any, name: str) -> Any:
    """Finds a recipe by its name, or reads it from a ``.toml`` file. `models` is ``pi_bench.models``.

    Raises:
        ModelError: there is no such recipe, the file cannot be read, or it does not fit the schema.

    >>> from importlib import import_module
    >>> recipe_of(import_module("pi_bench.models"), "resnet18-cifar100-12288").relu_count
    12288
    """
    if not name.endswith(".toml"):
        return models.load_recipe(name)
    try:
        with open(name, encoding="utf-8") as file:
            return models.parse_recipe(file.read(), name)
    except OSError as error:
        raise ModelError(f"cannot read the recipe {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelError(f"recipe {name}: not TOML: it is not UTF-8 text") from None
