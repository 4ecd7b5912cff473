"""Divides the online time of a run by kind of operator and by communication round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from pi_bench.page.doubts import fraction_range
from pi_bench.page.parts import Fact
from pi_bench.page.runs import LabeledRun
from pi_bench.report.documents.latency import MeasuredLayer
from pi_bench.report.layer_time import LayerTime, layer_times
from pi_bench.report.quantities import percent, seconds

_Rows = Sequence[LayerTime[MeasuredLayer]]
KINDS = ("ReLUs", "truncations", "products", "linear layers", "input and output")
"""The kinds of operators, in the order of tables."""
_SHOWN_FRACTION = 0.005
_NAMED_FRACTION = 0.1
"""A kind of operator that takes less than this part of the time in every run is not named."""


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
        f"By kind of operator: {kinds}. Of the {len(rounds)} rounds that end with a layer, half take at most "
        f"{seconds(half_s)}. The slowest round takes {seconds(most_s)} ({percent(most_s / total_s)}) and "
        f"ends with {name}."
    )


def kind_words(runs: Sequence[LabeledRun]) -> list[str]:
    """Says which part of the online time each kind of operator takes, as ranges over all runs.

    >>> kind_words([])
    []
    """
    fractions = [fractions_by_kind(run) for run in runs]
    kinds = [kind for kind in KINDS if any(own.get(kind, 0.0) > _NAMED_FRACTION for own in fractions)]
    ranges = [f"{kind} {fraction_range([own.get(kind, 0.0) for own in fractions])}" for kind in kinds]
    return [f"By kind of operator: {', '.join(ranges)}."] if ranges else []


def fractions_by_kind(run: LabeledRun) -> dict[str, float]:
    """Returns the part of the online time that each kind of operator takes; empty for a time of 0.

    ```python
    def mostly_relus(run: LabeledRun) -> bool:
        return fractions_by_kind(run).get("ReLUs", 0.0) > 0.5
    ```
    """
    kinds = time_by_kind(layer_times(run.result.online.layers))
    total_s = sum(kinds.values())
    return {kind: time_s / total_s for kind, time_s in kinds.items()} if total_s else {}


def division_facts(run: LabeledRun) -> tuple[Fact, ...]:
    """States where the online time of a run goes, with the address of its layers; nothing for a time of 0.

    ```python
    def print_division(run: LabeledRun) -> None:
        for fact in division_facts(run):
            print(fact.value, fact.note)
    ```
    """
    rows = layer_times(run.result.online.layers)
    fractions = fractions_by_kind(run)
    if not fractions:
        return ()
    kind, most = next(iter(fractions.items()))
    value = f"{percent(most)} {kind}"
    return (Fact("where time goes", value, f"Online. {division_text(rows)}", address=f"layers-{run.number}"),)
