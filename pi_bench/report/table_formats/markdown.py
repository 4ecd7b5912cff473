"""Writes a table in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pi_bench.report.table_formats.table import Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#$&])")


def markdown_table(table: Table) -> str:
    r"""Writes the title, the table and the notes as paragraphs.

    >>> from pi_bench.report.table_formats.table import TableColumn
    >>> columns = TableColumn("network", "network", "", words=True), TableColumn("relus", "ReLUs", "")
    >>> print(markdown_table(Table("one network", columns, ({"network": "a|b", "relus": 5},))))
    one network
    <BLANKLINE>
    | network | ReLUs |
    |:---|---:|
    | a\|b | 5 |
    """
    columns, notes, left_out = table.shown_in_documents()
    lines = [
        _row([column.header for column in columns]),
        "|" + "|".join(":---" if column.words else "---:" for column in columns) + "|",
        *map(_row, table.cells(columns)),
    ]
    paragraphs = [escaped(table.title), "\n".join(lines), *map(escaped, notes)]
    if left_out:
        paragraphs.append(f"<!-- left out, and in csv and json: {', '.join(left_out)} -->")
    return "\n\n".join(paragraphs)


def escaped(text: str) -> str:
    r"""Returns text that Markdown shows as it is.

    >>> escaped("net_1*<b>")
    'net\\_1\\*\\<b\\>'
    """
    return _SPECIAL.sub(r"\\\1", text)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"
