"""The errors of the integer network by layer: the columns, and the table that `pi-bench accuracy` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pi_bench.report.columns import ALL, Column, Shown, bar_column, chosen, costliest, render_rows
from pi_bench.report.quantities import count, three_digits

if TYPE_CHECKING:
    from pi_bench.report.documents.accuracy import LayerErrors

_Rows = Sequence["LayerErrors"]
_ErrorColumn = Column["LayerErrors"]


def _word(value: Callable[[LayerErrors], str]) -> Callable[[_Rows], str]:
    return lambda rows: value(rows[0]) if len(rows) == 1 else ""


def _largest(
    value: Callable[[LayerErrors], float | None], write: Callable[[float], str]
) -> Callable[[_Rows], str]:
    """Writes the largest value of the rows, because errors of layers have no sum."""

    def cell(rows: _Rows) -> str:
        known = [found for found in map(value, rows) if found is not None]
        return write(max(known)) if known else "-"

    return cell


def _error(layer: LayerErrors) -> float:
    return layer.relative_error or 0.0


_LAYER = _ErrorColumn("layer", "layer", "", _word(lambda layer: layer.name), words=True)

COLUMNS: tuple[_ErrorColumn, ...] = (
    Column("operator", "operator", "kind of computation", _word(lambda layer: layer.operator), words=True),
    Column(
        "error",
        "error",
        "root mean square of the errors, divided by that of the float values",
        _largest(lambda layer: layer.relative_error, lambda error: f"{100 * error:.3f} %"),
    ),
    bar_column("this error as a bar, compared with the largest"),
    Column(
        "largest",
        "largest error",
        "largest difference from a float value",
        _largest(lambda layer: layer.largest_error, three_digits),
    ),
    Column(
        "headroom",
        "headroom",
        "bits between the largest value and the end of the window",
        lambda rows: f"{min(row.headroom_bits for row in rows):.2f}",
    ),
    Column(
        "outside",
        "outside",
        "values beyond that end",
        lambda rows: count(sum(row.outside_count for row in rows)),
    ),
    Column(
        "zeroed",
        "zeroed",
        "values that this mode turns into 0 where a more accurate mode of the protocol keeps them",
        lambda rows: count(sum(row.zeroed_count for row in rows)),
    ),
)

_USUAL = tuple(column.name for column in COLUMNS)
_DROP = ("operator", "bar", "largest", "zeroed")


def require_columns(names: Sequence[str]) -> None:
    """Checks names of columns before the images are read.

    Raises:
        UsageError: there is no such column. The message offers similar names.

    >>> require_columns(["error", "zeroed"])
    """
    chosen(COLUMNS, _USUAL, names)


def error_lines(layers: Sequence[LayerErrors], shown: Shown) -> list[str]:
    """Returns the lines of the table by layer, with a title and the meaning of its columns.

    Raises:
        UsageError: there is no column of a name in `shown`.

    ```python
    from pi_bench.report.documents.accuracy import Accuracy

    def show(result: Accuracy) -> None:
        print(*error_lines(result.layers, Shown(layers="all")), sep="\\n")
    ```
    """
    columns = chosen(COLUMNS, _USUAL, shown.columns)
    lines = render_rows(_LAYER, columns, layers, shown, _error, others="layers", drop=_DROP)
    meanings = [f"{column.header}: {column.meaning}" for column in columns if not column.words]
    if shown.layers == ALL:
        title = "errors by layer, in the order of the network"
    elif len(layers) <= int(shown.layers) + 1:
        title = "errors by layer, the largest first"
    else:
        largest = costliest(shown, len(layers), "layer", "has the largest error", "have the largest errors")
        title = (
            f"errors by layer: {largest}; the "
            "others in one row with their largest error, least headroom and sums"
        )
    return [title, *lines, "; ".join(meanings)]
