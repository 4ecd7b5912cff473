"""Parses the words of the command line. Every error is one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pi_bench.cli.help import HelpFormatter, exit_code_lines
from pi_bench.measurement_options.values import (
    count,
    digest_prefix,
    link,
    list_of,
    number,
    percentage,
    positive_int,
    positive_seconds,
    thread_count,
    whole_number,
)
from pi_bench.unknown_name import similar_names, unknown_name

__all__ = [
    "Parser",
    "as_fields",
    "count",
    "digest_prefix",
    "link",
    "list_of",
    "number",
    "percentage",
    "positive_int",
    "positive_seconds",
    "thread_count",
    "whole_number",
]


class Parser(argparse.ArgumentParser):
    """Parser of the command line. Wrong usage gives one line that names the help of the command.

    Attributes:
        complete: adds arguments that depend on others. It is called once, before this parser parses its
            arguments.
        unknown_text: text that follows the report of an unknown argument.

    >>> parser = Parser(prog="pi-bench")
    >>> _ = parser.add_argument("--threads", type=thread_count)
    >>> parser.parse_args(["--threads", "4"]).threads
    4
    >>> parser.parse_args(["--thread", "4"])  # the error says that there is no --thread
    Traceback (most recent call last):
    SystemExit: 2
    """

    complete: Callable[[Sequence[str]], None] | None = None
    unknown_text = ""

    def __init__(self, **named: Any) -> None:
        """Refuses abbreviated flags: a new flag must not change the meaning of an old command line."""
        super().__init__(**{"formatter_class": HelpFormatter, **named, "allow_abbrev": False})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reports unknown arguments from the command's own parser, so that its help is named."""
        if self.complete is not None:
            complete, self.complete = self.complete, None
            complete(sys.argv[1:] if args is None else args)
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown and not unknown[0].startswith("-") and hasattr(parsed, "model"):
            self.error(f"{unknown[0]} is one model too many: give one model per command")
        if unknown:
            question = similar_names(unknown[0].partition("=")[0], self._option_string_actions)
            there_is_none = f"there is no {' '.join(unknown)}{self.unknown_text}"
            self.error(f"{there_is_none}; {question}" if question else there_is_none)
        return parsed, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuses a value or a command that is none of the choices, with similar ones."""
        if action.choices is not None and value not in action.choices:
            names = [str(each) for each in action.choices]
            if action.option_strings:
                raise argparse.ArgumentError(None, _refused(action.option_strings[-1], str(value), names))
            kind = "command" if isinstance(action, argparse._SubParsersAction) else action.dest
            raise argparse.ArgumentError(None, unknown_name(kind, str(value), names))

    def format_help(self) -> str:
        """Formats the help of a command. It ends with the meaning of the exit codes."""
        return f"{super().format_help()}\n{exit_code_lines(self._get_formatter()._width)}"

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit code 2 and an error of one line."""
        self.exit(2, f"error: {' '.join(message.split())} (see `{self.prog} --help`)\n")


def _refused(option: str, value: str, choices: list[str]) -> str:
    """Returns the message that an option cannot have a value, with similar values and all of them."""
    question = similar_names(value, choices)
    listed = f"t can be {', '.join(choices)}"
    return f"{option} cannot be {value[:80]!r}; {f'{question} I' if question else 'i'}{listed}"


_FILES = ("model", "input", "data", "labels", "costs", "expect_logits")
_LEFT_OUT = (
    *("run", "json", "output", "history", "no_history", "like", "verbose", "data_dir", "download"),
    *("layers", "columns", "format"),
)


def as_fields(parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns every option of a command as a JSON value, so that a result says how to repeat it.

    Of a file only the name is kept, because folders are private. Options that only say where output goes, or
    which part of it is printed, are left out, because they do not change the result.

    >>> as_fields(argparse.Namespace(model="folder/model.pt", runs=3, json="result.json"))
    {'model': 'model.pt', 'runs': 3}
    """
    fields: dict[str, Any] = {}
    for name, value in sorted(vars(parsed).items()):
        if name in _LEFT_OUT:
            continue
        if name in _FILES and value is not None:
            value = Path(value).name
        if name == "sides":
            value = [Path(each).name for each in value]
        fields[name] = _as_json(value)
    return fields


def _as_json(value: Any) -> Any:
    """Returns links as their fields, and tuples as lists."""
    if isinstance(value, tuple):
        return [_as_json(each) for each in value]
    from dataclasses import asdict, is_dataclass  # here, because --help needs none of it

    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
