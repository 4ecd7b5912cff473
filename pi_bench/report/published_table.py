"""Sets the figures that a paper prints beside those that were measured here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from pi_bench.report.result_table import FIGURES, ORIGIN, SETTINGS, measuring_notes
from pi_bench.report.table_formats import Table, TableColumn
from pi_bench.report.table_formats.table import Row, Value


class PaperRow(Protocol):
    """A row of a paper's table, as `pi_bench.models.published.tables` reads it.

    ```python
    def is_timed(row: PaperRow) -> bool:
        return row.latency_s is not None
    ```
    """

    @property
    def method(self) -> str: ...
    @property
    def network(self) -> str: ...
    @property
    def relu_count(self) -> int | None: ...
    @property
    def accuracy_pct(self) -> float | None: ...
    @property
    def accuracy_without_kd_pct(self) -> float | None: ...
    @property
    def latency_s(self) -> float | None: ...
    @property
    def source(self) -> str: ...
    @property
    def note(self) -> str: ...


class PaperTable(Protocol):
    """A table of a paper, as `pi_bench.models.published.tables` reads it.

    ```python
    def row_count(table: PaperTable) -> int:
        return len(table.networks)
    ```
    """

    @property
    def title(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def test_bed(self) -> str: ...
    @property
    def networks(self) -> Sequence[PaperRow]: ...


_WANTED = {
    "link": 10,
    "protocol": 10,
    "published_relu_count": 7,
    "published_accuracy_pct": 6,
    "relu_count": 5,
    "offline_s": 5,
    "published_accuracy_without_kd_pct": 3,
}
"""The columns that this table leaves out of narrow text in another order."""

_TRAINED_HINT = "--trained FOLDER measures networks that `pi-bench train` wrote, with their accuracy."

_PUBLISHED = (
    TableColumn("method", "method", "name of the method", words=True, folds=True, wanted=8),
    TableColumn(
        "published_relu_count",
        "paper ReLUs",
        "number of ReLUs as printed, often rounded",
        lambda row: f"{row['published_relu_count']:,}",
    ),
    TableColumn(
        "relu_count",
        "our ReLUs",
        "number of ReLUs of the network that was built here",
        lambda row: f"{row['relu_count']:,}",
    ),
    TableColumn(
        "published_accuracy_pct",
        "paper accuracy",
        "test accuracy in percent as printed",
        lambda row: f"{row['published_accuracy_pct']:.2f} %",
    ),
    TableColumn(
        "published_accuracy_without_kd_pct",
        "paper accuracy without distillation",
        "test accuracy in percent of the network trained without distillation, as printed",
        lambda row: f"{row['published_accuracy_without_kd_pct']:.2f} %",
    ),
    TableColumn(
        "accuracy_pct",
        "our accuracy",
        "test accuracy in percent of the network that was trained here",
        lambda row: f"{row['accuracy_pct']:.2f} %",
    ),
    TableColumn(
        "published_latency_s",
        "paper latency",
        "latency in seconds as printed, on the published test bed",
        lambda row: f"{row['published_latency_s']:g} s",
    ),
)
_END = (
    TableColumn("recipe", "", "name of the network in the sweep"),
    TableColumn("source", "", "place where the figures were read"),
    TableColumn("note", "", "caution about the row"),
)


_OUR_TIMES = ("online_s", "online_q1_s", "offline_s")
_ALL = (
    TableColumn("network", "network", "the network, as the table prints it", words=True),
    *_PUBLISHED,
    *SETTINGS,
    *(replace(each, header=f"our {each.header}") if each.key in _OUR_TIMES else each for each in FIGURES),
    *ORIGIN,
    *_END,
)
COLUMNS = tuple(replace(column, wanted=_WANTED.get(column.key, column.wanted)) for column in _ALL)
"""The columns: published figures have "published" in their keys, and the others were found here."""


def published_table(
    table: PaperTable,
    names: Sequence[str | None],
    measured: Sequence[Row],
    relu_counts: Mapping[str, int],
    accuracies_pct: Mapping[str, float],
) -> Table:
    """Returns a table with one row per published network and setting that was measured.

    Args:
        names: the name of each published row's network here; None where it cannot be built.
        measured: values of results by the keys of `result_table.COLUMNS`, with `name` for the network's name.
        relu_counts: the number of ReLUs by name.
        accuracies_pct: the test accuracy of networks that were trained here, by name.

    >>> from importlib import import_module
    >>> table = import_module("pi_bench.models.published.tables").load_table("deepreduce-8")
    >>> published_table(table, [None] * 6, [], {}, {}).rows[1]["published_accuracy_pct"]
    94.07
    """
    rows: list[Row] = []
    for row, name in zip(table.networks, names, strict=True):
        fields: dict[str, Value] = {
            "network": row.network,
            "method": row.method,
            "published_relu_count": row.relu_count,
            "published_accuracy_pct": row.accuracy_pct,
            "published_accuracy_without_kd_pct": row.accuracy_without_kd_pct,
            "published_latency_s": row.latency_s,
            "recipe": name,
            "source": row.source,
            "note": row.note or None,
        }
        if name is not None:
            fields |= {"relu_count": relu_counts[name], "accuracy_pct": accuracies_pct.get(name)}
        results = [each for each in measured if name is not None and each["name"] == name]
        # The words of the paper and the counts of the recipe stay; a result says the same of its batch.
        rows += [{**result, **fields} for result in results] or [fields]
    hints = [_TRAINED_HINT] if measured and not accuracies_pct else []
    title = f"{table.title}, as published and measured here" if measured else table.title
    return Table(title, COLUMNS, tuple(rows), tuple(_notes(table, measured, accuracies_pct)), tuple(hints))


def _notes(table: PaperTable, measured: Sequence[Row], accuracies_pct: Mapping[str, float]) -> Iterator[str]:
    yield 'Figures under "paper" are those that the paper prints. The others were found here, with pi-bench.'
    if table.note:
        yield f"{table.note[0].upper()}{table.note[1:]}."
    if table.test_bed:
        yield f"Test bed of the paper's latencies: {table.test_bed}."
    if measured:
        if not accuracies_pct:
            yield "Our networks have random weights, so they have no accuracy."
        yield from measuring_notes(measured)
    yield from dict.fromkeys(f"{row.network}: {row.note}." for row in table.networks if row.note)
    place, _, _ = table.title.partition(":")
    others = (row for row in table.networks if row.source != place)
    yield from (f"{row.network} ({row.method}): read in {row.source}." for row in others)
