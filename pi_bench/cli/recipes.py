"""Recipes as the command line names and lists them."""

from __future__ import annotations

from typing import Any

from pi_bench.errors import ModelError
from pi_bench.report.text_table import render_table

_COLUMNS = (
    *("name", "family", "ReLUs", "M params", "M MACs", "culled", "thinned", "alpha", "rho", "blocks"),
    *("paper: accuracy", "latency"),
)
_WORDS = (0, 1, 5, 6, 9)  # the columns that are no figures
_DROP = ("family", "blocks", "rho", "latency", "thinned", "culled", "alpha", "M MACs")


def recipe_of(models: Any, name: str) -> Any:
    """Finds a recipe by its name, or reads it from a ``.toml`` file. `models` is ``pi_bench.models``.

    Raises:
        UsageError: there is no such recipe.
        ModelError: the file cannot be read, or it does not fit the schema.

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


def list_table(recipes: list[dict[str, Any]]) -> str:
    """Renders summaries of recipes as an aligned table. A dash marks a figure that the paper does not
    report.

    >>> from importlib import import_module
    >>> models = import_module("pi_bench.models")
    >>> print(list_table([models.load_recipe("resnet18-cifar100-12288").summary()]))
    name                     family  ReLUs  ...
    ...
    resnet18-cifar100-12288  resnet  12,288 ...
    """
    lines = [
        *render_table(_COLUMNS, [_row(recipe) for recipe in recipes], left=_WORDS, whole=(0,), drop=_DROP),
        "",
        "Accuracy and latency are the papers' (latency with DELPHI), not this program's.",
    ]
    return "\n".join(lines)


def _row(recipe: dict[str, Any]) -> tuple[str, ...]:
    accuracy, latency = recipe["published_accuracy_pct"], recipe["published_latency_s"]
    return (
        recipe["name"],
        recipe["family"],
        f"{recipe['relu_count']:,}",
        f"{recipe['parameter_count'] / 1e6:.2f}",
        f"{recipe['mac_count'] / 1e6:,.0f}",
        "+".join(recipe["culled"]) or "-",
        "+".join(recipe["thinned"]) or "-",
        f"{recipe['alpha']:g}",
        f"{recipe['rho']:g}",
        "-".join(map(str, recipe["blocks"])),
        "-" if accuracy is None else f"{accuracy:.2f} %",
        "-" if latency is None else f"{latency:g} s",
    )
