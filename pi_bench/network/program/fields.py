"""Reads JSON values from a peer, each with its type and within its bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pi_bench.article import with_article
from pi_bench.network.program import Shape

_MAX_TEXT = 4096
MAX_CHANNELS = 1 << 16
MAX_DIMENSION = 1 << 24
_MAX_ELEMENTS = 1 << 28
_MAX_AXES = 6


class FieldError(ValueError):
    """An error in a peer's value: a wrong type, or a number out of bounds.

    >>> issubclass(FieldError, ValueError)
    True
    """


class Fields:
    """A mapping with exactly the fields `names`; messages call it `what`.

    Every method raises FieldError unless the field is of its type and within its bounds.

    >>> fields = Fields({"first": 3}, {"first"}, "channel slice")
    >>> fields.integer("first", 0, 10)
    3
    >>> fields.integer("first", 0, 2)
    Traceback (most recent call last):
    pi_bench.network.program.fields.FieldError: a channel slice whose first cannot be 3
    """

    def __init__(self, value: Any, names: set[str], what: str) -> None:
        if not isinstance(value, dict) or set(value) != names:
            raise FieldError(f"{with_article(what)} without exactly the fields {sorted(names)}")
        self._value = value
        self._what = what

    def integer(self, name: str, low: int, high: int) -> int:
        """Reads an integer of [low, high]."""
        return int(self._checked(name, _is_integer(self._value[name], low, high)))

    def number(self, name: str) -> float:
        """Reads a finite number."""
        value = self._value[name]
        sound = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**1000
        return float(self._checked(name, sound and math.isfinite(value)))

    def text(self, name: str) -> str:
        """Reads a printable text of bounded length."""
        return str(self._checked(name, _is_text(self._value[name])))

    def optional_text(self, name: str) -> str | None:
        """Reads a text or None."""
        return None if self._value[name] is None else self.text(name)

    def items(self, name: str, most: int) -> list[Any]:
        """Reads a list of at most `most` items."""
        value = self._value[name]
        return list(self._checked(name, isinstance(value, list) and len(value) <= most))

    def texts(self, name: str, most: int) -> list[str]:
        """Reads a list of at most `most` texts."""
        items = self.items(name, most)
        self._checked(name, all(map(_is_text, items)))
        return items

    def shape(self, name: str) -> Shape:
        """Reads a shape: batch first, 2 to 6 dimensions, each at least 1."""
        sizes = self._integers(name, range(2, _MAX_AXES + 1), 1, MAX_DIMENSION)
        self._checked(name, math.prod(sizes) <= _MAX_ELEMENTS)
        return sizes

    def pair(self, name: str) -> tuple[int, int]:
        """Reads two positive integers."""
        first, second = self._integers(name, (2,), 1, MAX_DIMENSION)
        return first, second

    def offsets(self, name: str) -> tuple[int, int]:
        """Reads two integers, which may be negative."""
        first, second = self._integers(name, (2,), -MAX_DIMENSION, MAX_DIMENSION)
        return first, second

    def axes(self, name: str) -> tuple[int, ...]:
        """Reads an order of 2 to 6 axes."""
        axes = self._integers(name, range(2, _MAX_AXES + 1), 0, _MAX_AXES - 1)
        self._checked(name, sorted(axes) == list(range(len(axes))))
        return axes

    def channels(self, name: str) -> tuple[int, ...]:
        """Reads the numbers of at least one channel; -1 means none."""
        items = self.items(name, MAX_CHANNELS)
        self._checked(name, bool(items) and all(_is_integer(i, -1, MAX_DIMENSION) for i in items))
        return tuple(items)

    def padding(self, name: str) -> tuple[int, int, int, int]:
        """Reads the zeros at the top, bottom, left and right."""
        top, bottom, left, right = self._integers(name, (4,), 0, 1 << 12)
        return top, bottom, left, right

    def _integers(self, name: str, counts: Sequence[int], low: int, high: int) -> tuple[int, ...]:
        items = self.items(name, max(counts))
        self._checked(name, len(items) in counts and all(_is_integer(i, low, high) for i in items))
        return tuple(items)

    def _checked(self, name: str, sound: bool) -> Any:
        value = self._value[name]
        if not sound:
            raise FieldError(f"{with_article(self._what)} whose {name} cannot be {value!r:.60}")
        return value


def _is_integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable()
