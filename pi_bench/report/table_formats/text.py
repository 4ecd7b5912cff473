"""Writes a table as text for the terminal."""

from __future__ import annotations

from pi_bench.report.table_formats.table import Table
from pi_bench.report.text_table import render_table


def text_table(table: Table) -> str:
    """Writes the title, aligned columns and the notes. A terminal that is too narrow loses columns.

    >>> from pi_bench.report.table_formats.table import TableColumn
    >>> columns = TableColumn("network", "network", "", words=True), TableColumn("relus", "ReLUs", "")
    >>> print(text_table(Table("two networks", columns, ({"network": "a", "relus": 5},), ("So it is.",))))
    two networks
    <BLANKLINE>
    network  ReLUs
    -------- -----
    a            5
    <BLANKLINE>
    So it is.
    """
    columns, notes = table.shown()
    lines = render_table(
        [column.header for column in columns],
        table.cells(columns),
        left={number for number, column in enumerate(columns) if column.words},
        whole={0},
        drop=[each.header for each in sorted(columns[1:], key=lambda column: column.wanted)],
    )
    notes += table.hints
    return "\n".join([table.title, "", *lines, *([""] if notes else []), *notes])
