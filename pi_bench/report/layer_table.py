"""The online phase by layer: the columns, and the table that `pi-bench latency` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pi_bench.report.columns import ALL, Column, Shown, bar_column, chosen, render_rows
from pi_bench.report.quantities import bytes_or_dash, count, millions, milliseconds, times_text

if TYPE_CHECKING:
    from pi_bench.report.documents.latency import MeasuredLayer
    from pi_bench.report.layer_time import LayerTime

_Rows = Sequence["LayerTime[MeasuredLayer]"]
_LayerColumn = Column["LayerTime[MeasuredLayer]"]


def _summed(value: Callable[[MeasuredLayer], float], write: Callable[[float], str]) -> Callable[[_Rows], str]:
    return lambda rows: write(sum(value(row.layer) for row in rows))


def _counted(value: Callable[[MeasuredLayer], int]) -> Callable[[_Rows], str]:
    return lambda rows: count(sum(value(row.layer) for row in rows))


def _word(value: Callable[[MeasuredLayer], str]) -> Callable[[_Rows], str]:
    return lambda rows: value(rows[0].layer) if len(rows) == 1 else ""


def _shape(layer: MeasuredLayer) -> str:
    from pi_bench.report.operators import shape_text  # here, because numpy loads with it

    return shape_text(tuple(layer.shape))


def _headroom(rows: _Rows) -> str:
    known = [row.layer.headroom_bits for row in rows if row.layer.headroom_bits is not None]
    return f"{min(known):.1f}" if known else "-"


def _fraction(rows: _Rows) -> str:
    """Writes a dash where the time is one, because no time was seen."""
    return f"{100 * sum(row.fraction for row in rows):.1f} %" if any(row.time_s for row in rows) else "-"


def _times_floor(rows: _Rows) -> str:
    """Writes a dash for several layers together, because their floors do not add up."""
    row = rows[0]
    return times_text(row.time_s / row.floor_s) if len(rows) == 1 and row.floor_s else "-"


_LAYER = _LayerColumn("layer", "layer", "", _word(lambda layer: layer.name), words=True)

COLUMNS: tuple[_LayerColumn, ...] = (
    Column("operator", "operator", "kind of computation", _word(lambda layer: layer.operator), words=True),
    Column("shape", "shape", "shape of the result", _word(_shape), True),
    Column(
        "time",
        "time ms",
        "online time of the layer on the client's clock",
        lambda rows: milliseconds(sum(row.time_s for row in rows)),
    ),
    Column(
        "percent",
        "percent",
        "this time in percent of that of all layers",
        _fraction,
    ),
    Column("floor", "times floor", "this time divided by the least that this machine needs", _times_floor),
    bar_column("this time as a bar, compared with the layer that takes longest"),
    Column("relus", "ReLUs", "number of ReLUs", _counted(lambda layer: layer.relu_count)),
    Column(
        "truncations", "trunc.", "truncations without ReLU", _counted(lambda layer: layer.truncation_count)
    ),
    Column(
        "squares",
        "squares",
        "squares and products",
        _counted(lambda layer: layer.square_count + layer.product_count),
    ),
    Column(
        "macs",
        "M MACs",
        "million multiply-accumulates",
        lambda rows: millions(sum(row.layer.mac_count for row in rows)),
    ),
    Column(
        "client",
        "client ms",
        "the client's computing",
        _summed(lambda layer: layer.client.compute_s, milliseconds),
    ),
    Column(
        "server",
        "server ms",
        "the server's computing",
        _summed(lambda layer: layer.server.compute_s, milliseconds),
    ),
    Column(
        "send",
        "send ms",
        "both parties' sending",
        _summed(lambda layer: layer.client.send_s + layer.server.send_s, milliseconds),
    ),
    Column(
        "wait",
        "wait ms",
        "the client's waiting, as far as it counts for this layer",
        lambda rows: milliseconds(sum(row.wait_s for row in rows)),
    ),
    Column(
        "hidden",
        "hidden ms",
        "the server's work for which the client did not wait",
        _summed(lambda layer: layer.hidden_s, milliseconds),
    ),
    Column(
        "to-server",
        "to server",
        "bytes to the server",
        _summed(lambda layer: layer.bytes.client_to_server, bytes_or_dash),
    ),
    Column(
        "to-client",
        "to client",
        "bytes to the client",
        _summed(lambda layer: layer.bytes.server_to_client, bytes_or_dash),
    ),
    Column(
        "rounds",
        "rounds",
        "communication rounds",
        _summed(lambda layer: layer.comm_round_count, lambda value: f"{value:g}" if value else "-"),
    ),
    Column(
        "headroom", "headroom", "bits between the largest calibrated value and the window's end", _headroom
    ),
)

_USUAL = ("time", "percent", "bar", "relus", "client", "server", "wait", "to-client")
_DROP = (
    *("hidden", "send", "squares", "macs", "headroom", "truncations", "shape", "operator", "to-server"),
    *("rounds", "to-client", "wait", "bar", "server", "client", "relus", "floor", "percent"),
)


def require_columns(names: Sequence[str]) -> None:
    """Checks names of columns before anything is measured.

    Raises:
        UsageError: there is no such column. The message offers similar names.

    >>> require_columns(["+rounds"])
    """
    chosen(COLUMNS, _USUAL, names)


def layer_lines(
    layers: Sequence[MeasuredLayer], shown: Shown, floors_s: Mapping[int, float] | None = None
) -> list[str]:
    """Returns the lines of the table by layer.

    Args:
        floors_s: by the id of the layer, where known.

    Raises:
        UsageError: there is no column of a name in `shown`.

    ```python
    from pi_bench.report.documents.latency import Result

    def show(result: Result) -> None:
        print(*layer_lines(result.online.layers, Shown(layers="all")), sep="\\n")
    ```
    """
    from pi_bench.report.layer_time import layer_times

    known_s = floors_s or {}
    rows = layer_times(layers, [known_s.get(layer.id) for layer in layers])
    usual = (*_USUAL, "floor") if shown.layers == ALL and known_s else _USUAL
    columns = chosen(COLUMNS, usual, shown.columns)
    return render_rows(_LAYER, columns, rows, shown, lambda row: row.time_s, others="layers", drop=_DROP)
