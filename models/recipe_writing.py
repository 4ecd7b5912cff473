"""The inverse of `recipe_schema.parse_recipe`: writes a recipe as TOML."""

from __future__ import annotations

import json
from typing import Any

from .layer_patterns import LAYER_KEYS
from .recipe import Recipe
from .recipe_schema import SCHEMA_VERSION

_PUBLISHED_KEYS = ("relu_count", "accuracy_pct", "latency_s", "source")


def format_recipe(recipe: Recipe) -> str:
    """Returns TOML that `parse_recipe` reads as `recipe` again.

    Every key is written, but those of masks, merging, polynomials, identities and mixtures only if the recipe
    has them.

    >>> from pi_bench.models import load_recipe, parse_recipe
    >>> recipe = load_recipe("resnet18-cifar100-12288")
    >>> parse_recipe(format_recipe(recipe), "x") == recipe
    True
    """
    lines = [f"schema = {SCHEMA_VERSION}"]
    left_out = {"kept_relus", "masks"} if recipe.kept_relus is None else set()
    if recipe.merged is None:
        left_out.add("merged")
    left_out.update(key for key in (*LAYER_KEYS, "mixtures") if not getattr(recipe, key))
    if not recipe.polynomials:
        left_out.add("polynomial_degree")
    if not (recipe.polynomials or recipe.cubics):
        left_out.add("polynomial_relu_fraction")
    keys = [key for key in recipe.schema() if key not in left_out]
    lines += [f"{key} = {_value(getattr(recipe, key))}" for key in keys]
    if recipe.published is not None:
        reported = {key: getattr(recipe.published, key) for key in _PUBLISHED_KEYS}
        lines += ["", "[published]"]
        lines += [f"{key} = {_value(value)}" for key, value in reported.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    # Texts are printable (the schema sees to it), numbers finite: TOML writes them as JSON does.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str)
