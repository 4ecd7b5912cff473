"""Writes a table for programs: CSV and JSON, with every column and in SI units."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec

from pi_bench.report.documents.table import TableDocument
from pi_bench.report.table_formats.table import Table, Value


def csv_table(table: Table) -> str:
    r"""Writes all columns as CSV, under their keys. No value is an empty field.

    >>> from pi_bench.report.table_formats.table import TableColumn
    >>> columns = TableColumn("network", "network", ""), TableColumn("verified", "", "")
    >>> csv_table(Table("one", columns, ({"network": "a, b", "verified": True},)))
    'network,verified\n"a, b",true\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow([_field(row.get(column.key)) for column in table.columns])
    return text.getvalue()


def _field(value: Value) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def table_document(table: Table) -> TableDocument:
    """Returns the table as the document that `pi-bench schema table` describes.

    >>> table_document(Table("no networks", (), ())).title
    'no networks'
    """
    return TableDocument(
        schema_version=1,
        title=table.title,
        columns={column.key: column.meaning for column in table.columns},
        rows=[{column.key: row.get(column.key) for column in table.columns} for row in table.rows],
        notes=list(table.notes),
    )


def json_table(table: Table) -> str:
    """Writes the document of the table as JSON.

    >>> json.loads(json_table(Table("no networks", (), ())))["rows"]
    []
    """
    return json.dumps(msgspec.to_builtins(table_document(table)), indent=2, allow_nan=False)
