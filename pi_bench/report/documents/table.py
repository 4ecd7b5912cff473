"""The table that `pi-bench sweep` and `pi-bench table` print with `--format json`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pi_bench.report.documents.fields import DocumentPart, SchemaVersion


class TableDocument(DocumentPart, frozen=True, kw_only=True):
    """Holds a table: one object per row, with the keys of the columns."""

    schema_version: SchemaVersion
    title: Annotated[str, Meta(description="names the sweep, or the table of a paper")]
    columns: Annotated[dict[str, str], Meta(description="the meaning of each column by its key")]
    rows: Annotated[
        list[dict[str, str | int | float | bool | None]],
        Meta(description="every row has every column; null where there is no value"),
    ]
    notes: Annotated[list[str], Meta(description="sentences that belong to the figures, such as test beds")]
