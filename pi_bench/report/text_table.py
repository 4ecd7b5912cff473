"""Tables of text that fit the terminal: words to the left, figures to the right, no colors.

`pi_bench.report.colors` colors the text of a whole command.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence

from pi_bench.report.text_width import all_shortened, displayed_width, text_width

_WORD_LIMITS = (34, 22, 12)
"""Characters of a cell of words: as a rule, before columns are left out, and after that."""

_GAP = 2  # between two columns
_CONSOLE_WIDTH = 100_000  # no table is as wide: nothing is wrapped, and no figure is shortened
_RULE = "    \n    \n -  \n    \n    \n    \n    \n    \n"  # a box of nothing but dashes below the header


def render_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: int | Collection[int] = 1,
    drop: Sequence[str] = (),
    whole: Collection[int] = (),
    meanings: Mapping[str, str] | None = None,
    width: int | None = None,
) -> list[str]:
    """Returns the lines of a table: the header, a rule, the rows; without colors or other escapes.

    A table that is too wide loses columns, and its last line names them. The result as JSON has them.

    Args:
        left: the columns of words, or how many there are if they come first. Long words are shortened in the
            middle, figures never are.
        drop: headers of the columns that are left out where the table is too wide, the least needed first.
            If that is not enough, the last columns follow; the first one always stays.
        whole: columns of words that are never shortened.
        meanings: words for columns by their headers, for the line that names those left out. A header alone
            is often too short to be understood without its column.
        width: characters of a line; None for those of the terminal.

    >>> render_table(("layer", "ReLUs"), [("stem", "1,024"), ("head", "-")])
    ['layer  ReLUs', '------ -----', 'stem   1,024', 'head       -']
    >>> render_table(("layer", "shape", "ReLUs"), [("stem", "4x16x16", "1,024")], drop=["shape"], width=16)
    ['layer  ReLUs', '------ -----', 'stem   1,024', 'not shown at this width: shape']
    """
    width = text_width() if width is None else width
    words = set(range(left) if isinstance(left, int) else left)
    columns, limit = _fitting(header, rows, words - set(whole), drop, width)
    shown = [header[number] for number in columns]
    shown_columns = [_column(rows, number, limit, words - set(whole)) for number in columns]
    cells = [[column[at] for column in shown_columns] for at in range(len(rows))]
    lines = _drawn(shown, cells, {at for at, number in enumerate(columns) if number in words})
    missing = [name for number, name in enumerate(header) if number not in columns and name]
    if not missing:
        return lines
    known = meanings or {}
    named = [f"{name} ({known[name]})" if known.get(name) else name for name in missing]
    return [*lines, f"not shown at this width: {', '.join(named)}"]


def _column(rows: Sequence[Sequence[str]], number: int, limit: int, short: Collection[int]) -> list[str]:
    """Returns the cells of a column as they are shown: shortened if the column is one of `short`."""
    cells = [row[number] for row in rows]
    return all_shortened(cells, limit) if number in short else cells


def _fitting(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    short: Collection[int],
    drop: Sequence[str],
    width: int,
) -> tuple[list[int], int]:
    """Chooses the columns to show, and the limit of their words."""

    def fits(columns: list[int], limit: int) -> bool:
        sizes = (
            max(map(displayed_width, [header[number], *_column(rows, number, limit, short)]))
            for number in columns
        )
        return sum(sizes) + _GAP * (len(columns) - 1) <= width

    assert set(drop) <= set(header), "every column that may be left out is one of the table"
    columns, (usual, narrow, least) = list(range(len(header))), _WORD_LIMITS
    for limit in (usual, narrow):
        if fits(columns, limit):
            return columns, limit
    for name in drop:
        columns.remove(header.index(name))
        for limit in (usual, narrow):
            if fits(columns, limit):
                return columns, limit
    while len(columns) > 1 and not fits(columns, least):
        columns.pop()
    return columns, least


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[int]) -> list[str]:
    from rich.box import Box  # here, so that a command without a table starts without it
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=Box(_RULE, ascii=True), padding=(0, 1, 0, 0), show_edge=False, pad_edge=False, header_style=""
    )
    for number, name in enumerate(header):
        justify = "left" if number in words else "right"
        table.add_column(Text(name), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(Text, row))  # Text, because a string would be read as rich's markup
    text = io.StringIO()
    Console(file=text, width=_CONSOLE_WIDTH, color_system=None, force_terminal=False).print(table)
    return [line.rstrip() for line in text.getvalue().removesuffix("\n").split("\n")]
