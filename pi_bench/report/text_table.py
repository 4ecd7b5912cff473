"""Tables of text: words to the left, figures to the right, the same on a terminal and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence

_MAX_WIDTH = 34
_CONSOLE_WIDTH = 100_000  # no table is as wide: nothing is wrapped, and no figure is shortened
_RULE = "    \n    \n -  \n    \n    \n    \n    \n    \n"  # a box of nothing but dashes below the header


def render_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int | Collection[int] = 1
) -> list[str]:
    """Returns the lines of a table: the header, a rule, the rows; without colors or other escapes.

    Args:
        left: the columns of words, or how many there are if they come first. Long words are shortened in the
            middle, figures never are.

    >>> render_table(("layer", "ReLUs"), [("stem", "1,024"), ("head", "-")])
    ['layer  ReLUs', '------ -----', 'stem   1,024', 'head       -']
    """
    from rich.box import Box  # here, so that a command without a table starts without it
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    words = range(left) if isinstance(left, int) else left
    table = Table(
        box=Box(_RULE, ascii=True), padding=(0, 1, 0, 0), show_edge=False, pad_edge=False, header_style=""
    )
    for number, name in enumerate(header):
        justify = "left" if number in words else "right"
        table.add_column(Text(name), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        # Text, because a string would be read as rich's markup.
        table.add_row(
            *(Text(_shortened(cell) if number in words else cell) for number, cell in enumerate(row))
        )
    text = io.StringIO()
    Console(file=text, width=_CONSOLE_WIDTH, color_system=None, force_terminal=False).print(table)
    return [line.rstrip() for line in text.getvalue().removesuffix("\n").split("\n")]


def _shortened(cell: str) -> str:
    if len(cell) <= _MAX_WIDTH:
        return cell
    half = (_MAX_WIDTH - 1) // 2
    return f"{cell[:half]}…{cell[-half:]}"
