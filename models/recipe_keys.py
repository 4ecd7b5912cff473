"""The keys of recipes: the values that each accepts, in words and as a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pi_bench.errors import ModelError

MAX_SIDE = 1024
MAX_WIDTH = 4096
MAX_COUNT = 64
MAX_STAGES = 8


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a recipe.

    Attributes:
        allowed: the allowed values in words, for the end of the message "key is X, allowed: …".
        accepts: the test of a value.
        convert: makes the recipe's value of the value in TOML.
        required: whether a recipe must have the key.

    >>> key = whole(1, 8)
    >>> key.allowed, key.accepts(9)
    ('a whole number from 1 to 8', False)
    """

    allowed: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value
    required: bool = True


def whole(low: int, high: int, required: bool = True) -> Key:
    """Returns the key of a whole number from `low` to `high`.

    >>> whole(2, 3).accepts(True)
    False
    """
    return Key(f"a whole number from {low} to {high}", _whole(low, high), required=required)


def wholes(low: int, high: int, shortest: int, longest: int, what: str, required: bool = True) -> Key:
    """Returns the key of a list of `shortest` to `longest` whole numbers, described by `what`.

    >>> wholes(1, 9, 0, 2, "up to two numbers").accepts([1, 2, 3])
    False
    """
    one = _whole(low, high)

    def accepts(value: Any) -> bool:
        return isinstance(value, list) and shortest <= len(value) <= longest and all(map(one, value))

    return Key(what, accepts, tuple, required)


def width() -> Key:
    """Returns the optional key of a number of channels.

    >>> width().accepts(0)
    False
    """
    return whole(1, MAX_WIDTH, required=False)


def a_stage_each(low: int, high: int, required: bool = True) -> Key:
    """Returns the key of a list with one whole number from `low` to `high` per stage.

    >>> a_stage_each(1, 64).accepts([2, 2, 2, 2])
    True
    """
    what = f"1 to {MAX_STAGES} whole numbers from {low} to {high}, one per stage"
    return wholes(low, high, 1, MAX_STAGES, what, required)


def real(low: float, high: float, required: bool = True) -> Key:
    """Returns the key of a number from `low` to `high`.

    >>> real(0, 1).convert(1)
    1.0
    """

    def accepts(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return Key(f"a number from {low:g} to {high:g}", accepts, float, required)


def choice(*values: str) -> Key:
    """Returns the optional key of one of `values`.

    >>> choice("pixel", "channel").allowed
    '"pixel" or "channel"'
    """
    words = " or ".join(f'"{value}"' for value in values)
    return Key(words, lambda value: isinstance(value, str) and value in values, required=False)


def flag() -> Key:
    """Returns the optional key of true or false.

    >>> flag().accepts(0)
    False
    """
    return Key("true or false", lambda value: isinstance(value, bool), required=False)


def texts(required: bool = False) -> Key:
    """Returns the key of a list of printable texts of 1 to 500 characters.

    >>> texts().convert(["stem.relu"])
    ('stem.relu',)
    """
    one = text()

    def accepts(value: Any) -> bool:
        return isinstance(value, list) and len(value) <= MAX_WIDTH and all(map(one.accepts, value))

    return Key("a list of texts", accepts, tuple, required=required)


def text() -> Key:
    """Returns the key of a printable text of 1 to 500 characters.

    >>> text().accepts("")
    False
    """
    return Key("text", lambda value: isinstance(value, str) and 0 < len(value) <= 500 and value.isprintable())


def checked(table: dict[str, Any], keys: Mapping[str, Key], origin: str, prefix: str = "") -> dict[str, Any]:
    """Returns the values of `table`, converted.

    Args:
        origin: the name of the file in messages.
        prefix: the table's name in messages, with a dot.

    Raises:
        ModelError: A key is unknown or missing, or a value is outside its range.

    >>> checked({"degree": 2}, {"degree": whole(2, 3)}, "mine.toml")
    {'degree': 2}
    """
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


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
