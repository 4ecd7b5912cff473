"""Divides the online time of a run by kind of operator and by communication round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from pi_bench.page.parts import Fact
from pi_bench.page.runs import LabeledRun
from pi_bench.report.documents.latency import MeasuredLayer
from pi_bench.report.layer_time import LayerTime, layer_times
from pi_bench.report.quantities import percent, seconds

_Rows = Sequence[LayerTime[MeasuredLayer]]
_SHOWN_FRACTION = 0.005


def kind_of(layer: MeasuredLayer) -> str:
    """Names the kind of an operator by the work that makes its time.

    ```python
    def relu_count(layers: list[MeasuredLayer]) -> int:
        return sum(kind_of(layer) == "ReLUs" for layer in layers)
    ```
    """
    if layer.relu_count:
        return "ReLUs"
    if layer.truncation_count:
        return "truncations"
    if layer.square_count or layer.product_count:
        return "products"
    return "input and output" if layer.operator in ("input", "output") else "linear layers"


def time_by_kind(rows: _Rows) -> dict[str, float]:
    """Sums the seconds of layers by kind of operator. The kind with the most comes first.

    >>> time_by_kind([])
    {}
    """
    found: dict[str, float] = {}
    for row in rows:
        kind = kind_of(row.layer)
        found[kind] = found.get(kind, 0.0) + row.time_s
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def time_by_round(rows: _Rows) -> list[tuple[str, float]]:
    """Sums the seconds of layers by communication round, each named by the layer with which it ends.

    A round ends with the layer whose messages complete one there and back. Layers after the last such layer
    belong to the last round.

    >>> time_by_round([])
    []
    """
    found: list[tuple[str, float]] = []
    time_s = round_count = 0.0
    for row in rows:
        time_s += row.time_s
        round_count += row.layer.comm_round_count
        if round_count >= 1:
            found.append((row.layer.name, time_s))
            time_s = round_count = 0.0
    if found and time_s:
        name, last_s = found[-1]
        found[-1] = name, last_s + time_s
    return found


def division_text(rows: _Rows) -> str:
    """Says which kinds of operators take the time, and how much the slowest round takes.

    >>> division_text([])
    ''
    """
    total_s = sum(row.time_s for row in rows)
    if not total_s:
        return ""
    kinds = ", ".join(
        f"{kind} {percent(time_s / total_s)}"
        for kind, time_s in time_by_kind(rows).items()
        if time_s > _SHOWN_FRACTION * total_s
    )
    rounds = time_by_round(rows)
    if len(rounds) < 2:
        return f"By kind of operator: {kinds}."
    name, most_s = max(rounds, key=lambda each: each[1])
    half_s = statistics.median(time_s for _, time_s in rounds)
    return (
        f"By kind of operator: {kinds}. By round: the slowest one ends with {name} and takes "
        f"{seconds(most_s)} ({percent(most_s / total_s)}), the median one {seconds(half_s)}."
    )


def division_facts(runs: Sequence[LabeledRun]) -> tuple[Fact, ...]:
    """States where the time of the run with the largest online latency goes, with the address of its layers.

    >>> division_facts([])
    ()
    """
    if not runs:
        return ()
    run = max(runs, key=lambda each: each.result.online.latency_s.median)
    rows = layer_times(run.result.online.layers)
    kinds = time_by_kind(rows)
    total_s = sum(kinds.values())
    if not total_s:
        return ()
    kind, most_s = next(iter(kinds.items()))
    whose = f"Online, {run.label}. " if len(runs) > 1 else "Online. "
    value = f"{percent(most_s / total_s)} {kind}"
    return (Fact("where time goes", value, f"{whose}{division_text(rows)}", address=f"layers-{run.number}"),)
