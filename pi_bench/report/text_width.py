"""Fits text to the width and the characters of the terminal.

Lines break between words, never inside a number and its unit.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence

_DEFAULT_WIDTH = 100
_MIN_WIDTH = 40  # narrower text cannot be read
_START = re.compile(r" *(?:\d+\. )?")
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[num]?s|[kMG]?B|%|[kMG]bit/s|[kMG]) ?\b|%)")
_KEPT_SPACE = "\N{NO-BREAK SPACE}"
_SECOND_HALF = "\ue000"  # of a wide character, because textwrap counts characters; no text has it
_DRAWN = "…━╸╺"


def text_width() -> int:
    """Returns the width for text on standard output, in characters.

    It is the width of the terminal or of the environment variable COLUMNS, and 100 where there is neither.

    >>> text_width() >= 40
    True
    """
    return max(_MIN_WIDTH, shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns)


def shows_unicode() -> bool:
    """Tells whether standard output can write the characters of bars and ellipses.

    >>> from contextlib import redirect_stdout
    >>> import io
    >>> with redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="ascii")):
    ...     found = shows_unicode()
    >>> found
    False
    """
    try:
        _DRAWN.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shortened(text: str, limit: int) -> str:
    """Shortens text in the middle to at most `limit` characters of the terminal, and marks the place.

    >>> shortened("stages.1.0.shortcut.conv", 15) in ("stages.…ut.conv", "stages...t.conv")
    True
    """
    if displayed_width(text) <= limit:
        return text
    mark = "…" if shows_unicode() else "..."
    tail_width = (limit - len(mark)) // 2
    head, tail = "", ""
    for character in text:
        if displayed_width(head + character) > limit - len(mark) - tail_width:
            break
        head += character
    for character in reversed(text):
        if displayed_width(character + tail) > tail_width:
            break
        tail = character + tail
    return f"{head}{mark}{tail}"


def all_shortened(texts: Sequence[str], limit: int) -> list[str]:
    """Shortens texts as `shortened` does, and keeps texts that differ different.

    >>> names = ["features.stage1.conv1.weight", "features.stage2.conv1.weight"]
    >>> len(set(all_shortened(names, 15)))
    2
    """
    short = {text: shortened(text, limit) for text in texts}
    for found in {found for text, found in short.items() if found != text}:
        alike = [text for text, other in short.items() if other == found]
        if len(alike) > 1:
            short.update(_told_apart(alike, limit))
    return [short[text] for text in texts]


def _told_apart(texts: Sequence[str], limit: int) -> dict[str, str]:
    """Shortens texts of equal ends to the start and the place where they differ, or numbers them."""
    mark = "…" if shows_unicode() else "..."
    first = next((at for at, found in enumerate(zip(*texts, strict=False)) if len(set(found)) > 1), 0)
    room = max(limit - 2 * len(mark), 2)
    start, rest = room // 2, room - room // 2
    short = {text: f"{text[:start]}{mark}{text[first : first + rest]}{mark}" for text in texts}
    if len(set(short.values())) == len(texts) and all(
        displayed_width(text) <= limit for text in short.values()
    ):
        return short
    return {text: f"{shortened(text, limit - 4)} {at}" for at, text in enumerate(texts, 1)}


def displayed_width(text: str) -> int:
    """Returns how many characters of the terminal a text takes; Chinese characters take two.

    >>> displayed_width("conv"), displayed_width("卷积")
    (4, 4)
    """
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # here, because most text is ASCII

    return cell_len(text)


def wrapped(text: str, width: int | None = None, *, indent: int | None = None) -> str:
    r"""Breaks every line of `text` that is longer than `width`.

    The following lines are indented by `indent`. None indents them below the first word, or below the text
    of a numbered line.

    Args:
        width: None for that of the terminal.

    >>> print(wrapped("  1. the linear layers cost 557,056 ms of 1,000,000 ms in all", 40))
      1. the linear layers cost 557,056 ms
         of 1,000,000 ms in all
    """
    width = width or text_width()
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width, indent))


def labeled(rows: list[tuple[str, str]], width: int | None = None) -> list[str]:
    r"""Writes figures beside their labels; each figure that is too long continues below itself.

    Args:
        width: characters of a line; None for those of the terminal.

    >>> rows = [("online", "8.36 ms"), ("sent", "291 kB to the server, 1.83 MB back")]
    >>> print(*labeled(rows, 30), sep="\n")
    online  8.36 ms
    sent    291 kB to the server,
            1.83 MB back
    """
    start = max((len(label) for label, _ in rows), default=0) + 2
    return [
        line
        for label, words in rows
        for line in wrapped(f"{label:<{start}}{words}", width, indent=start).split("\n")
    ]


def _broken(line: str, width: int, indent: int | None) -> list[str]:
    if displayed_width(line) <= width:
        return [line]
    if indent is None:
        start = _START.match(line)
        indent = start.end() if start and start.end() else 2
    kept = _BEFORE_UNIT.sub(_KEPT_SPACE, line)
    if not kept.isascii():
        kept = "".join(
            character + _SECOND_HALF * (unicodedata.east_asian_width(character) in "WF") for character in kept
        )
    # textwrap breaks at ASCII spaces alone.
    parts = textwrap.wrap(
        kept, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return [part.replace(_KEPT_SPACE, " ").replace(_SECOND_HALF, "") for part in parts]
