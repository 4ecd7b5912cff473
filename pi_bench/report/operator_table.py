"""The operators of a public program: the columns, and the table that `pi-bench inspect` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pi_bench.report.columns import ALL, Column, Shown, bar_column, chosen, costliest, render_rows
from pi_bench.report.quantities import bytes_or_dash, count, millions, milliseconds

if TYPE_CHECKING:
    from pi_bench.report.documents.inspection import Inspection, Operator


@dataclass(frozen=True)
class OperatorCost:
    """Gives an operator its predicted cost.

    Attributes:
        operator: the operator.
        time_s: its predicted online time on the client's clock; None where no times are predicted.
        cost: this time, or without it the payload bytes of the operator.

    ```python
    def costly(row: OperatorCost) -> bool:
        return row.cost > 0.1
    ```
    """

    operator: Operator
    time_s: float | None
    cost: float


_Rows = Sequence[OperatorCost]
_OperatorColumn = Column[OperatorCost]


def _word(value: Callable[[Operator], str]) -> Callable[[_Rows], str]:
    return lambda rows: value(rows[0].operator) if len(rows) == 1 else ""


def _counted(value: Callable[[Operator], int]) -> Callable[[_Rows], str]:
    return lambda rows: count(sum(value(row.operator) for row in rows))


def _optional(value: Callable[[Operator], float | None], form: str) -> Callable[[_Rows], str]:
    """Writes a value that only some operators have, and that has no sum."""

    def write(rows: _Rows) -> str:
        if len(rows) > 1:
            return ""
        found = value(rows[0].operator)
        return "-" if found is None else form.format(found)

    return write


def _shape(operator: Operator) -> str:
    from pi_bench.report.operators import shape_text  # here, because numpy loads with it

    return shape_text(tuple(operator.shape))


def _macs(rows: _Rows) -> str:
    return millions(sum(row.operator.mac_count for row in rows))


def _time(rows: _Rows) -> str:
    known = [row.time_s for row in rows if row.time_s is not None]
    return milliseconds(sum(known)) if known else "-"


_NAME = _OperatorColumn("name", "name", "", _word(lambda op: op.name), words=True)

COLUMNS: tuple[_OperatorColumn, ...] = (
    Column("id", "id", "number of the operator", _word(lambda op: str(op.id))),
    Column("operator", "operator", "kind of computation", _word(lambda op: op.operator), words=True),
    Column("shape", "shape", "shape of the result", _word(_shape), words=True),
    Column(
        "from",
        "from",
        "ids of the operators whose values it takes",
        _word(lambda op: ",".join(map(str, op.sources)) or "-"),
    ),
    Column("scale", "scale", "bits after the point", _word(lambda op: str(op.scale_bits))),
    Column(
        "truncated",
        "truncated",
        "bits that the operator drops",
        _optional(lambda op: op.truncate_bits, "{}"),
    ),
    Column(
        "window",
        "window",
        "bits of the range that a ReLU can represent",
        _optional(lambda op: op.window_bits, "{}"),
    ),
    Column(
        "range",
        "range",
        "largest value in calibration",
        _optional(lambda op: op.calibrated_maximum, "{:.4g}"),
    ),
    Column(
        "headroom",
        "headroom",
        "bits between this value and the end of the window",
        _optional(lambda op: op.headroom_bits, "{:.1f}"),
    ),
    Column("relus", "ReLUs", "number of ReLUs", _counted(lambda op: op.relu_count)),
    Column("truncations", "trunc.", "truncations without ReLU", _counted(lambda op: op.truncation_count)),
    Column(
        "squares",
        "squares",
        "squares and products",
        _counted(lambda op: op.square_count + op.product_count),
    ),
    Column(
        "weights",
        "weights",
        "weights with biases, batch normalizations folded into them",
        _counted(lambda op: op.parameter_count),
    ),
    Column("macs", "M MACs", "million multiply-accumulates", _macs),
    Column(
        "to-server",
        "to server",
        "payload to the server online",
        lambda rows: bytes_or_dash(sum(row.operator.predicted_bytes.client_to_server for row in rows)),
    ),
    Column(
        "to-client",
        "to client",
        "payload to the client online",
        lambda rows: bytes_or_dash(sum(row.operator.predicted_bytes.server_to_client for row in rows)),
    ),
    Column("time", "time ms", "predicted online time on the client's clock", _time),
    bar_column("this time as a bar, or the payload where no times are predicted"),
)

_USUAL = ("operator", "relus", "weights", "macs", "to-server", "to-client", "time", "bar")
_DROP = (
    *("squares", "scale", "truncated", "from", "headroom", "shape", "range", "window", "truncations"),
    *("operator", "id", "weights", "to-server", "macs", "bar", "to-client", "relus"),
)


def require_columns(names: Sequence[str]) -> None:
    """Checks names of columns before the model is read.

    Raises:
        UsageError: there is no such column. The message offers similar names.

    >>> require_columns(["+window"])
    """
    chosen(COLUMNS, _USUAL, names)


def operator_lines(inspection: Inspection, shown: Shown) -> list[str]:
    """Returns the lines of the table of operators, with a title.

    Raises:
        UsageError: there is no column of a name in `shown`.

    ```python
    def show(inspection: Inspection) -> None:
        print(*operator_lines(inspection, Shown(layers="all")), sep="\\n")
    ```
    """
    columns = chosen(COLUMNS, _USUAL, shown.columns)
    rows, total = _costs(inspection), len(inspection.operators)
    lines = render_rows(_NAME, columns, rows, shown, lambda row: row.cost, others="operators", drop=_DROP)
    if shown.layers == ALL:
        meanings = [f"{column.header}: {column.meaning}" for column in columns if not column.words]
        return ["operators in the order of the network", *lines, "", "; ".join(meanings)]
    if total <= int(shown.layers) + 1:
        return ["operators, the most expensive first", *lines]
    together = f", for {inspection.input_count:,} inputs together" if inspection.input_count > 1 else ""
    return [f"{costliest(shown, total, 'operator', 'costs most', 'cost most')}{together}", *lines]


def _costs(inspection: Inspection) -> list[OperatorCost]:
    from pi_bench.report.layer_time import layer_times

    times_s: dict[int, float] = {}
    if inspection.prediction is not None:
        times_s = {row.layer.id: row.time_s for row in layer_times(inspection.prediction.online.layers)}
    return [
        OperatorCost(
            op,
            times_s.get(op.id),
            times_s.get(
                op.id, float(op.predicted_bytes.client_to_server + op.predicted_bytes.server_to_client)
            ),
        )
        for op in inspection.operators
    ]
