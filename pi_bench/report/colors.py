"""Colors the text of a command: by its words, after it has been written and fitted to the width."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = (
    (r"^(?:warning|caution(?: \([\w, -]+\))?|differs):", "yellow"),
    (r"\bverification passed\b|\bprivate runs verified\b|\bevery run was verified\b", "green"),
    (r"\bverification FAILED\b|\bFAILED\b|\bNOT VERIFIED\b|\bINSECURE\b|\bINTERRUPTED\b", "bold red"),
    (r"\bthe answer is NOT the float network's", "bold red"),
    (r"^.+(?=\n-+(?: -+)*$)", "bold"),  # the header of a table
    (r"^-+(?: -+)*$", "dim"),
    (r"[━╸╺]+", "cyan"),
    (r"^not shown at this width:(?:.|\n  )*", "dim"),
    (r"^(?:answer|verdict|fidelity|online|online latency|offline|first inference|predicted)(?=  )", "bold"),
    (r"^(?:sent (?:on|off)line|peak memory)(?=  )", "bold"),
)


def is_colored(stream: TextIO) -> bool:
    """Tells whether text on a stream gets colors.

    It does on a terminal, and with FORCE_COLOR elsewhere, but never with NO_COLOR or on a dumb terminal
    (TERM=dumb). A variable that is set to nothing counts as not set.

    >>> import io
    >>> is_colored(io.StringIO()) and "FORCE_COLOR" not in os.environ
    False
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def colored(text: str) -> Text:
    """Returns the text of a command with its colors. No character changes.

    >>> colored("verification passed (exact)").plain
    'verification passed (exact)'
    """
    from rich.text import Text

    styled = Text(text)
    for pattern, style in _STYLES:
        for found in re.finditer(pattern, text, re.MULTILINE):
            styled.stylize(style, found.start(), found.end())
    return styled


def print_colored(text: str, stream: TextIO) -> None:
    r"""Prints text and a newline on a stream, with colors where `is_colored` allows them.

    >>> import io
    >>> stream = io.StringIO()
    >>> print_colored("5 runs", stream)
    >>> stream.getvalue()
    '5 runs\n'
    """
    if not is_colored(stream):
        print(text, file=stream)
        return
    from rich.console import Console

    console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
    console.print(colored(text), soft_wrap=True)  # the lines fit already
