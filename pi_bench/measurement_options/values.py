"""Parses single values of the command line: numbers, times, links, digests. Every error is one line."""

from __future__ import annotations

import argparse
import math
import string
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.channel.link import Link

MAX_THREADS = 256
DIGEST_DIGITS = 64
MIN_DIGEST_DIGITS = 16


def positive_int(text: str) -> int:
    """Parses a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> positive_int("5")
    5
    """
    return _whole_number(text, 1)


def count(text: str) -> int:
    """Parses a whole number of at least 0.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> count("0")
    0
    """
    return _whole_number(text, 0)


def percentage(text: str) -> float:
    """Parses a percentage above 0 and below 100, and returns it as a fraction.

    Raises:
        argparse.ArgumentTypeError: the text is anything else, such as a number without the sign.

    >>> percentage("5%")
    0.05
    """
    if not text.endswith("%"):
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage: write 5%, for instance")
    value = number(text.removesuffix("%").rstrip())
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 0% and 100%")
    return value / 100


def thread_count(text: str) -> int:
    """Parses a number of threads, from 1 to `MAX_THREADS`.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> thread_count("300")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: 300 threads are too many: 1 to 256
    """
    value = positive_int(text)
    if value > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text} threads are too many: 1 to {MAX_THREADS}")
    return value


def positive_seconds(text: str) -> float:
    """Parses a time in seconds, above 0 and below one million.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> positive_seconds("0.5")
    0.5
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds between 0 and 1e6")
    return value


def number(text: str) -> float:
    """Parses a finite number.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> number("1e-3")
    0.001
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def not_negative(text: str) -> float:
    """Parses a finite number of at least 0.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> not_negative("0.5")
    0.5
    """
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0; give 0 or more")
    return value


def number_of_percent(text: str) -> float:
    """Parses a percentage, with or without its sign, and returns the number of percent.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> number_of_percent("99.5%")
    99.5
    """
    return number(text.removesuffix("%").rstrip())


def link(text: str) -> Link | None:
    """Parses a link between the parties. Returns None for ``loopback``, which is not changed.

    Raises:
        argparse.ArgumentTypeError: the text is no link, or one of its numbers is out of range.

    >>> link("100Mbit,40ms").rtt_s
    0.04
    """
    from pi_bench.channel.link import Link

    try:
        return None if text == "loopback" else Link.parse(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def digest_prefix(text: str) -> str:
    """Parses a digest in hexadecimal, into lower case: all 64 digits, or at least the first 16.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.

    >>> digest_prefix("0123456789ABCDEF")
    '0123456789abcdef'
    """
    digits = text.lower()
    if not set(digits) <= set(string.hexdigits) or not MIN_DIGEST_DIGITS <= len(digits) <= DIGEST_DIGITS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a digest: {MIN_DIGEST_DIGITS} to {DIGEST_DIGITS} hexadecimal digits, "
            "as `pi-bench inspect` prints them"
        )
    return digits


def whole_number(text: str) -> int:
    """Parses a whole number of any sign. The code that uses the number refuses one that is out of range.

    Raises:
        argparse.ArgumentTypeError: the text is no whole number.

    >>> whole_number("-3")
    -3
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def list_of(parse: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Returns a parser of values with commas between them. A text that is one value alone stays whole.

    >>> list_of(positive_int)("1,2")
    (1, 2)
    >>> len(list_of(link)("100Mbit,40ms"))
    1
    """

    def parsed(text: str) -> tuple[Any, ...]:
        try:
            return (parse(text),)
        except (argparse.ArgumentTypeError, ValueError, UsageError):
            if "," not in text:
                raise
        return tuple(parse(part) for part in text.split(","))

    return parsed


def _whole_number(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return value
