"""The schema of recipes: reads TOML, names the key and the allowed range of whatever does not fit."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pi_bench.errors import ModelError

from .recipe import Published, Recipe

SCHEMA_VERSION = 1

_MAX_SIDE = 1024
_MAX_WIDTH = 4096
_MAX_COUNT = 64


def parse_recipe(text: str, origin: str) -> Recipe:
    """A recipe from TOML.

    Args:
        text: the file's content.
        origin: how messages call the file.

    Raises:
        ModelError: not TOML, an unknown or missing key, or a value outside its range; the message
            names the key and the range.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"recipe {origin}: not TOML: {error}") from None
    if table.get("schema") != SCHEMA_VERSION:
        raise ModelError(
            f"recipe {origin}: key 'schema' is {table.get('schema')!r:.40}, "
            f"this program reads {SCHEMA_VERSION}"
        )
    values = _checked(table, _RECIPE_KEYS, origin, "")
    published = values.pop("published", None)
    if published is not None:
        reported = {"accuracy_pct": None, "latency_s": None}
        published = Published(**reported | _checked(published, _PUBLISHED_KEYS, origin, "published."))
    del values["schema"]
    culled = values.get("culled_stages", ())
    values = {
        "alpha": 1.0,
        "rho": 1.0,
        "culled_stages": (),
        "thinned_stages": (),
        # The paper drops the stem's ReLU "along with stages": section 2, observation 3.
        "stem_relu": not culled,
        **values,
    }
    recipe = Recipe(**values, published=published)
    _check_whole(recipe, origin)
    return recipe


def _check_whole(recipe: Recipe, origin: str) -> None:
    def refuse(key: str, problem: str) -> None:
        raise ModelError(f"recipe {origin}: key {key!r} {problem}")

    stage_count = len(recipe.blocks)
    if len(recipe.widths) != stage_count:
        refuse("widths", f"has {len(recipe.widths)} entries, 'blocks' has {stage_count}: one a stage")
    for key in ("culled_stages", "thinned_stages"):
        stages = getattr(recipe, key)
        if any(stage > stage_count for stage in stages) or list(stages) != sorted(set(stages)):
            refuse(key, f"must be stages from 1 to {stage_count}, ascending, each once, not {list(stages)}")
    both = set(recipe.culled_stages) & set(recipe.thinned_stages)
    if both:
        refuse(
            "thinned_stages", f"names culled stages {sorted(both)}: a stage is culled or thinned, not both"
        )
    if min(recipe.scaled_widths) < 1:
        refuse(
            "alpha", f"scales widths {list(recipe.widths)} to {list(recipe.scaled_widths)}: at least 1 each"
        )
    total_stride = recipe.stem_stride * 2 ** (stage_count - 1)
    if min(recipe.input_shape[1:]) < total_stride:
        refuse(
            "input_shape", f"is smaller than {total_stride} x {total_stride}, the stride of the whole network"
        )
    if recipe.published and recipe.published.relu_count != recipe.relu_count:
        refuse(
            "published.relu_count", f"is {recipe.published.relu_count}, the network has {recipe.relu_count}"
        )


@dataclass(frozen=True, slots=True)
class _Key:
    allowed: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value
    required: bool = True


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _wholes(low: int, high: int, shortest: int, longest: int) -> Callable[[Any], bool]:
    one = _whole(low, high)
    return lambda value: (
        isinstance(value, list) and shortest <= len(value) <= longest and all(one(item) for item in value)
    )


def _real(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    )


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 500 and value.isprintable()


_RECIPE_KEYS: Mapping[str, _Key] = {
    "schema": _Key("1", _whole(SCHEMA_VERSION, SCHEMA_VERSION)),
    "name": _Key("text", _text),
    "family": _Key('"resnet"', lambda value: value == "resnet"),
    "dataset": _Key("text", _text),
    "input_shape": _Key(
        f"[channels, height, width], each from 1 to {_MAX_SIDE}", _wholes(1, _MAX_SIDE, 3, 3), tuple
    ),
    "class_count": _Key("a whole number from 2 to 100000", _whole(2, 100_000)),
    "blocks": _Key(
        f"1 to 8 whole numbers from 1 to {_MAX_COUNT}, one a stage", _wholes(1, _MAX_COUNT, 1, 8), tuple
    ),
    "widths": _Key(
        f"1 to 8 whole numbers from 1 to {_MAX_WIDTH}, one a stage", _wholes(1, _MAX_WIDTH, 1, 8), tuple
    ),
    "alpha": _Key("a number from 0.01 to 4", _real(0.01, 4), float, required=False),
    "rho": _Key("a number from 0.05 to 1", _real(0.05, 1), float, required=False),
    "stem_relu": _Key("true or false", lambda value: isinstance(value, bool), required=False),
    "culled_stages": _Key("whole numbers from 1 to 8", _wholes(1, 8, 0, 8), tuple, required=False),
    "thinned_stages": _Key("whole numbers from 1 to 8", _wholes(1, 8, 0, 8), tuple, required=False),
    "published": _Key("a table", lambda value: isinstance(value, dict), required=False),
}

_PUBLISHED_KEYS: Mapping[str, _Key] = {
    "relu_count": _Key("a whole number", _whole(0, 1 << 40)),
    "accuracy_pct": _Key("a number from 0 to 100", _real(0, 100), float, required=False),
    "latency_s": _Key("a number from 0 to 1000000", _real(0, 1e6), float, required=False),
    "source": _Key("text", _text),
}


def _checked(table: dict[str, Any], keys: Mapping[str, _Key], origin: str, prefix: str) -> dict[str, Any]:
    unknown = sorted(set(table) - set(keys))
    if unknown:
        raise ModelError(
            f"recipe {origin}: unknown key {prefix + unknown[0]!r:.80}; known are {', '.join(keys)}"
        )
    missing = [name for name, key in keys.items() if key.required and name not in table]
    if missing:
        raise ModelError(
            f"recipe {origin}: key {prefix + missing[0]!r} is missing: {keys[missing[0]].allowed}"
        )
    for name, value in table.items():
        if not keys[name].accepts(value):
            raise ModelError(
                f"recipe {origin}: key {prefix + name!r} is {value!r:.60}, allowed: {keys[name].allowed}"
            )
    return {name: keys[name].convert(value) for name, value in table.items()}
