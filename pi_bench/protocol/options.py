"""Declares the options and modes of a protocol.

Command line, handshake, JSON and reports iterate over these declarations. Nothing outside a protocol names
one of its options or modes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from pi_bench.arithmetic.activation_law import ActivationLaw

OptionValue = int | str
Value = TypeVar("Value", int, str)

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class ProtocolOptions:
    """Holds the options of a run. Both parties agree on `mode` and `values` in the handshake.

    Attributes:
        values: the protocol's own options by name, those that its mode has.
        weight_cache_bytes: bounds the memory that a server spends on weights in the form that the offline
            phase uses.
        ahead: the number of inferences that one offline phase prepares, each with material of its own, 1 to
            `defaults.MAX_AHEAD`. Both parties agree on it, too.

    >>> ProtocolOptions("exact", values={"label_chunk": 3}).values["label_chunk"]
    3
    """

    mode: str
    threads: int = 1
    values: Mapping[str, OptionValue] = field(default_factory=dict, hash=False)
    weight_cache_bytes: int = 0
    ahead: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def with_value(self, name: str, value: OptionValue) -> ProtocolOptions:
        """Returns the same options with another value of one of the protocol's own options.

        >>> ProtocolOptions("exact").with_value("label_chunk", 2).as_fields()["values"]
        {'label_chunk': 2}
        """
        return replace(self, values={**self.values, name: value})

    def as_fields(self) -> dict[str, Any]:
        """Returns the arguments that make equal options, as JSON values."""
        return {
            "mode": self.mode,
            "threads": self.threads,
            "values": dict(self.values),
            "weight_cache_bytes": self.weight_cache_bytes,
            "ahead": self.ahead,
        }


@dataclass(frozen=True)  # no slots: Option[int](...) sets an attribute, which slots forbid with a TypeError
class Option(Generic[Value]):
    """Declares one option of a protocol: ``--label-chunk N`` for the name ``label_chunk``.

    Attributes:
        values: every possible value, such as ``range(1, 5)`` or ``("fast", "small")``.
        default: None if the option must be given in the modes that have it.
        modes: names of the modes that have it; empty means every mode.

    >>> chunk = Option[int]("label_chunk", range(1, 5), "bits per key", default=1)
    >>> chunk.flag, chunk.parse("3"), chunk.of(ProtocolOptions("exact"))
    ('--label-chunk', 3, 1)
    """

    name: str
    values: Sequence[Value]
    help: str
    default: Value | None = None
    modes: tuple[str, ...] = ()
    metavar: str = "N"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not self.values:
            raise ValueError(f"option {self.name!r} needs a name of lower-case words and some values")
        if self.default is not None and not self.accepts(self.default):
            raise ValueError(f"option {self.name!r}: the default {self.default!r} is none of its values")

    @property
    def flag(self) -> str:
        """The flag of the command line, such as ``--label-chunk``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def choices(self) -> str:
        """Names the possible values in words.

        >>> Option[int]("label_chunk", range(1, 5), "").choices
        '1 to 4'
        >>> Option[str]("size", ("small", "large"), "").choices
        'small or large'
        """
        if isinstance(self.values, range) and self.values.step == 1:
            return f"{self.values[0]} to {self.values[-1]}"
        return " or ".join(map(str, self.values))

    def applies(self, mode: str) -> bool:
        """Tells whether a mode has this option."""
        return not self.modes or mode in self.modes

    def accepts(self, value: object) -> bool:
        """Tells whether `value`, which may come from the other party, is possible.

        The type must match too. ``True`` does not pass for 1.
        """
        return type(value) is type(self.values[0]) and value in self.values

    def parse(self, text: str) -> Value:
        """Reads a value from the command line.

        Raises:
            ValueError: the value is not possible.
        """
        value: object = text
        if isinstance(self.values[0], int) and text.isascii() and text.lstrip("-").isdigit():
            value = int(text[:20])
        if not self.accepts(value):
            raise ValueError(f"{text!r} is not {self.choices}")
        return cast(Value, value)

    def of(self, options: ProtocolOptions) -> Value:
        """Returns the option's value in a run, or its default.

        Raises:
            KeyError: the run has no value, and the option no default.
        """
        value = options.values.get(self.name, self.default)
        if value is None:
            raise KeyError(self.name)
        return cast(Value, value)


@dataclass(frozen=True, slots=True)
class Mode:
    """Declares one mode of a protocol. `law` defines the results of activations in that mode.

    Attributes:
        help: a clause for ``--help``.

    >>> from pi_bench.arithmetic.activation_law import EXACT
    >>> exact = Mode("exact", "equals the integer network bit for bit", lambda options: EXACT)
    >>> exact.law(ProtocolOptions("exact")).name
    'exact'
    """

    name: str
    help: str
    law: Callable[[ProtocolOptions], ActivationLaw]
