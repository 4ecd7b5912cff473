"""What the words on the command line are parsed into, with errors of one line."""

from __future__ import annotations

import argparse
import math
import string
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.channel.link import Link

EXIT_CODES = """\
exit codes:
  0    success
  1    verification failed, or an internal error
  2    wrong usage, or a file or folder that cannot be written
  3    the model file cannot be read, or the network cannot be lowered or compiled
  4    the input array has the wrong shape, dtype or range; a data archive is missing or damaged
  5    no connection, a lost one, a time-out, a port in use, a party killed
  6    the other party is of another version or program, or breaks the protocol
  7    this machine lacks something, such as AES instructions
  8    one-time preprocessing was used before
  9    training diverged, or its folder holds another training
  130  interrupted (Ctrl-C): the runs that had finished are written, marked as interrupted
  143  terminated (SIGTERM): likewise
"""
MAX_THREADS = 256
DIGEST_DIGITS = 64
MIN_DIGEST_DIGITS = 16


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error of the program, and where the help is.

    `complete`: adds arguments that depend on others; called once, before this parser parses its arguments.
    `unknown_words`: follow the report of an unknown argument.
    """

    complete: Callable[[Sequence[str]], None] | None = None
    unknown_words = ""

    def __init__(self, **named: Any) -> None:
        """Takes no abbreviated flags: a new flag must not change what an old command line means."""
        super().__init__(**{**named, "allow_abbrev": False})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reports unknown arguments from the command's own parser, so that its help is named."""
        if self.complete is not None:
            complete, self.complete = self.complete, None
            complete(sys.argv[1:] if args is None else args)
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown and not unknown[0].startswith("-") and hasattr(parsed, "model"):
            self.error(f"{unknown[0]} is one model too many: give one at a time")
        if unknown:
            self.error(f"there is no {' '.join(unknown)}{self.unknown_words}")
        return parsed, unknown

    def format_help(self) -> str:
        """Ends the help of every command with what its exit codes mean."""
        return f"{super().format_help()}\n{EXIT_CODES}"

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())} (see `{self.prog} --help`)\n")


_FILES = ("model", "input", "data", "labels", "costs")
_LEFT_OUT = ("run", "json", "output", "verbose", "data_dir", "download")


def as_fields(parsed: argparse.Namespace) -> dict[str, Any]:
    """Every option of a command as JSON values, so that a result says how to repeat it.

    Files are there by name alone: their folders are nobody's business, and options of output change nothing.
    """
    fields: dict[str, Any] = {}
    for name, value in sorted(vars(parsed).items()):
        if name in _LEFT_OUT:
            continue
        if name in _FILES and value is not None:
            value = Path(value).name
        fields[name] = asdict(value) if name == "link" and value is not None else value
    return fields


def positive_int(text: str) -> int:
    return _whole_number(text, 1)


def count(text: str) -> int:
    return _whole_number(text, 0)


def thread_count(text: str) -> int:
    value = positive_int(text)
    if value > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text} threads are too many: 1 to {MAX_THREADS}")
    return value


def positive_seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds between 0 and 1e6")
    return value


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def link(text: str) -> Link | None:
    """None: loopback as it is."""
    from pi_bench.channel.link import Link

    try:
        return None if text == "loopback" else Link.parse(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def digest_prefix(text: str) -> str:
    """A digest in hex, lower case: all of its 64 digits, or at least the first 16 as results print them."""
    digits = text.lower()
    if not set(digits) <= set(string.hexdigits) or not MIN_DIGEST_DIGITS <= len(digits) <= DIGEST_DIGITS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a digest: {MIN_DIGEST_DIGITS} to {DIGEST_DIGITS} hexadecimal digits, "
            "as `pi-bench inspect` prints them"
        )
    return digits


def whole_number(text: str) -> int:
    """A whole number of any sign; what uses it says which are possible."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _whole_number(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return value
