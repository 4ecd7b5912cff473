"""Fits text to the width of the terminal: lines break between words, never inside a number and its unit."""

from __future__ import annotations

import re
import shutil
import textwrap

_DEFAULT_WIDTH = 80
_MIN_WIDTH = 40  # narrower text cannot be read
_START = re.compile(r" *(?:\d+\. )?")
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[num]?s|[kMG]?B|%|[kMG]bit/s|[kMG]) ?\b|%)")
_KEPT_SPACE = "\N{NO-BREAK SPACE}"


def text_width() -> int:
    """Returns the width for text on standard output, in characters.

    It is the width of the terminal or of the environment variable COLUMNS, and 80 where there is neither.

    >>> text_width() >= 40
    True
    """
    return max(_MIN_WIDTH, shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns)


def wrapped(text: str, width: int | None = None) -> str:
    r"""Breaks every line of `text` that is longer than `width`. `width`: None for that of the terminal.

    The following lines are indented below the first word, or below the text of a numbered line.

    >>> print(wrapped("  1. the linear layers cost 557,056 ms of 1,000,000 ms in all", 40))
      1. the linear layers cost 557,056 ms
         of 1,000,000 ms in all
    """
    width = width or text_width()
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width))


def _broken(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    start = _START.match(line)
    indent = " " * (start.end() if start and start.end() else 2)
    kept = _BEFORE_UNIT.sub(_KEPT_SPACE, line)
    # textwrap breaks at ASCII spaces alone.
    parts = textwrap.wrap(
        kept, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [part.replace(_KEPT_SPACE, " ") for part in parts]
