"""The schema of recipes: reads TOML, and names the key and its allowed range in every error."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence

from pi_bench.errors import ModelError

from . import recipe_keys
from .families import FAMILIES
from .recipe import Published, Recipe
from .recipe_keys import Key, checked

SCHEMA_VERSION = 1


def parse_recipe(text: str, origin: str) -> Recipe:
    """Returns the recipe that a TOML file describes.

    Args:
        text: the content of the file.
        origin: the name of the file in messages.

    Raises:
        ModelError: The text is not TOML, a key is unknown or missing, or a value is outside its range. The
            message names the key and the range.

    >>> text = '''schema = 1
    ... name = "tiny-digits"
    ... family = "vgg"
    ... dataset = "digits"
    ... input_shape = [1, 8, 8]
    ... class_count = 10
    ... blocks = [1]
    ... widths = [2]'''
    >>> parse_recipe(text, "tiny.toml").relu_count
    128
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"recipe {origin}: not TOML: {error}") from None
    schema = table.pop("schema", None)
    if schema != SCHEMA_VERSION:
        raise ModelError(
            f"recipe {origin}: key 'schema' is {schema!r:.40}, this program reads {SCHEMA_VERSION}"
        )
    for old, new in _OLD_KEYS.items():
        if old in table:
            if new in table:
                raise ModelError(f"recipe {origin}: keys {old!r} and {new!r} are one; leave out {old!r}")
            table[new] = table.pop(old)
    published = table.pop("published", None)
    family = checked({"family": table.pop("family", None)}, _FAMILY_KEY, origin)["family"]
    kind = FAMILIES[family]
    keys = kind.schema()
    del keys["family"]
    values = checked(table, keys, origin)
    # The paper drops the stem's ReLU "along with stages": section 2, observation 3.
    if kind.has_stem_relu:
        values.setdefault("stem_relu", not values.get("culled_stages"))
    recipe = kind(**values, published=None if published is None else _published(published, origin))
    for key, problem in recipe.problems():
        raise ModelError(f"recipe {origin}: key {key!r} {problem}")
    if recipe.published and recipe.published.relu_count != recipe.relu_count:
        raise ModelError(
            f"recipe {origin}: key 'published.relu_count' is {recipe.published.relu_count}, "
            f"the network has {recipe.relu_count}"
        )
    return recipe


def with_polynomials(recipe: Recipe, patterns: Sequence[str], degree: int, relu_fraction: float) -> Recipe:
    """Returns the recipe with polynomials in place of ReLUs. Its name ends in the number of ReLUs that stay.

    Args:
        patterns: patterns of the paths of ReLU layers, as in the key `polynomials`.
        degree: the degree of the polynomials, 2 or 3.
        relu_fraction: the fraction of each layer's channels that keeps ReLU.

    Raises:
        ModelError: The keys of recipes do not allow a value.

    >>> from pi_bench.models import load_recipe
    >>> with_polynomials(load_recipe("resnet32-cifar100-303104"), ["stages.0.*"], 2, 0.0).name
    'resnet32-cifar100-polynomial-139264'
    """
    chosen = {
        "polynomials": list(patterns),
        "polynomial_degree": degree,
        "polynomial_relu_fraction": relu_fraction,
    }
    values = checked(chosen, {key: recipe.schema()[key] for key in chosen}, recipe.name)
    changed = dataclasses.replace(recipe, published=None, **values)
    for key, problem in changed.problems():
        raise ModelError(f"recipe {recipe.name}: key {key!r} {problem}")
    base = recipe.name.removesuffix(f"-{recipe.relu_count}")
    return dataclasses.replace(changed, name=f"{base}-polynomial-{changed.relu_count}")


def _published(table: object, origin: str) -> Published:
    if not isinstance(table, dict):
        raise ModelError(f"recipe {origin}: key 'published' is {table!r:.60}, allowed: a table")
    reported = {"accuracy_pct": None, "latency_s": None}
    return Published(**reported | checked(table, _PUBLISHED_KEYS, origin, "published."))


_OLD_KEYS = {"polynomial_relu_share": "polynomial_relu_fraction"}
"""Keys of version 0.2.0 that have another name now. Folders of trained networks hold recipes with them."""

_FAMILY_KEY = {"family": recipe_keys.choice(*FAMILIES)}

_PUBLISHED_KEYS = {
    "relu_count": Key("a whole number", recipe_keys.whole(0, 1 << 40).accepts),
    "accuracy_pct": recipe_keys.real(0, 100, required=False),
    "latency_s": recipe_keys.real(0, 1e6, required=False),
    "source": recipe_keys.text(),
}
