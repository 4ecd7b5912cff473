"""What the words on the command line are parsed into, with errors of one line."""

from __future__ import annotations

import argparse
import math
import string
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.channel.link import Link

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

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())} (see `{self.prog} --help`)\n")


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


def _whole_number(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return value
