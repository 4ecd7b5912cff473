"""Writes one table in several formats: for the terminal, for documents and papers, and for programs.

table       the table itself: columns, rows, title and notes
text        aligned text for the terminal
markdown    a table of GitHub's Markdown
latex       a table of LaTeX with the rules of booktabs
values      CSV and JSON, with every column and in SI units
"""

from __future__ import annotations

from collections.abc import Callable

from pi_bench.report.table_formats.latex import latex_table
from pi_bench.report.table_formats.markdown import markdown_table
from pi_bench.report.table_formats.table import Table, TableColumn
from pi_bench.report.table_formats.text import text_table
from pi_bench.report.table_formats.values import csv_table, json_table, table_document

__all__ = ["FORMATS", "Table", "TableColumn", "csv_table", "table_document", "write_table"]

_WRITERS: dict[str, Callable[[Table], str]] = {
    "text": text_table,
    "markdown": markdown_table,
    "latex": latex_table,
    "csv": csv_table,
    "json": json_table,
}
FORMATS = tuple(_WRITERS)
"""The names that ``--format`` takes."""


def write_table(table: Table, name: str) -> str:
    r"""Writes a table in the format of that name.

    >>> columns = (TableColumn("network", "network", "its name", words=True),)
    >>> write_table(Table("networks", columns, ({"network": "net_1"},)), "csv")
    'network\nnet_1\n'
    """
    return _WRITERS[name](table)
