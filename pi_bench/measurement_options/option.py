"""Declares one option of a measurement, in the words of `argparse`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")

_DECLARATION = "declaration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Says everything about one option but its type, which the field has.

    Attributes:
        flags: on the command line. The key is that of the first one.
        group: the title of its group in the help of `pi-bench latency`.
        commands: the commands that take the option, each with its words for ``{default}`` in the help.
        default: the same for the command line, for Python and for a `MeasurementOptions`.
        in_python: whether `pi_bench.measure` has a parameter of the field's name.
        repeated: whether ``--like`` takes its value from the earlier result.
        refusal: says why a measurement with ``--connect`` cannot have the option; "" if it can.
        needs_model: whether the option is for the model file, which ``--connect`` may lack.
        connected_only: whether only a measurement with ``--connect`` has the option.
        keywords: further arguments of `argparse.ArgumentParser.add_argument`.

    >>> seed = Declaration(flags=("--max-time",), group="measuring", commands={"latency": ""}, default=None)
    >>> seed.key
    'max_time'
    """

    flags: tuple[str, ...]
    group: str
    commands: Mapping[str, str]
    default: Any
    in_python: bool = False
    repeated: bool = True
    refusal: str = ""
    needs_model: bool = False
    connected_only: bool = False
    keywords: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of the value among parsed arguments, and in the part ``arguments`` of a JSON result."""
        return self.flags[0].removeprefix("--").replace("-", "_")

    def add_to(self, parser: argparse._ActionsContainer, command: str) -> None:
        """Adds the flag to the parser of a command, or to a group of it."""
        words = self.keywords["help"].replace("{default}", self.commands[command])
        parser.add_argument(*self.flags, default=self.default, **{**self.keywords, "help": words})


def option(
    default: Value,
    *flags: str,
    group: str,
    commands: Mapping[str, str],
    in_python: bool = False,
    repeated: bool = True,
    refusal: str = "",
    needs_model: bool = False,
    connected_only: bool = False,
    **keywords: Any,
) -> Value:
    """Returns a field of a dataclass that carries its `Declaration`. The arguments are those of it.

    >>> @dataclass
    ... class Options:
    ...     seed: int = option(0, "--seed", group="input", commands={"latency": ""}, type=int, help="a seed")
    >>> Options().seed, declarations(Options)["seed"].flags
    (0, ('--seed',))
    """
    declaration = Declaration(
        flags=flags,
        group=group,
        commands=commands,
        default=default,
        in_python=in_python,
        repeated=repeated,
        refusal=refusal,
        needs_model=needs_model,
        connected_only=connected_only,
        keywords=keywords,
    )
    return dataclasses.field(default=default, metadata={_DECLARATION: declaration})


def declarations(table: type[Any]) -> dict[str, Declaration]:
    """Returns the declaration of every field of a dataclass, by the field's name.

    Raises:
        KeyError: a field is not made by `option`.

    >>> from pi_bench.measurement_options.table import MeasurementOptions
    >>> declarations(MeasurementOptions)["timeout_s"].key
    'timeout'
    """
    return {field.name: field.metadata[_DECLARATION] for field in dataclasses.fields(table)}
