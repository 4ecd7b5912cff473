"""The online time of each layer on the client's clock, divided into computing, sending and waiting."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun, label_parts
from pi_bench.page.specs import (
    Encoding,
    bars_of_runs,
    layer,
    quantity,
    rounded,
    series,
    tooltip,
    with_prefix,
)
from pi_bench.page.theme import CLIENT, INK, MESSAGES, SERVER, WAITING
from pi_bench.page.time_division import division_text
from pi_bench.report.documents.floor import Floor
from pi_bench.report.documents.latency import MeasuredLayer
from pi_bench.report.floor import layer_floors_s
from pi_bench.report.layer_time import LayerTime, layer_times
from pi_bench.report.quantities import percent, seconds, seconds_or_dash

_KINDS = ("compute", "send", "wait", "hidden", "floor")
_COLORS = (CLIENT, MESSAGES, WAITING, SERVER, INK)

_FLOOR_WORDS = (
    "The upright tick of a layer is its floor: the longest of the client's work, the server's work and the "
    "messages of this layer alone. A layer can take less time than that, because the client may wait for its "
    "message in a later layer. Then the plot has no tick, and the table has the floor.",
    "The floors of the layers do not add up to the floor of the phase, for two reasons. Work and messages of "
    "different layers overlap, which makes the floor of the phase smaller. Messages of different layers wait "
    "for each other, which makes it larger.",
)


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns a plot per run of what each layer takes of the online time. A reader chooses the run.

    >>> section([]).plots
    ()
    """
    if not runs:
        return Section("layers", "Online, by layer", missing=("No run is given.",))
    return Section(
        "layers",
        "Online, by layer",
        words=(
            "To the right of 0 stand the client's computing, sending and waiting. It sends until it has "
            "handed its messages over, and waits while bytes travel. Together they are the time of the "
            "layer on the client's clock. The layers add up to about the online latency; medians of single "
            "layers do not add up exactly. Waiting is for bytes, for round trips and for the server's work: "
            "the section before divides it among them for the whole run.",
            "To the left of 0 stands hidden work: the server computes it while the client does not wait for "
            "it, so it is no part of the latency.",
            *(_FLOOR_WORDS if any(run.result.floor is not None for run in runs) else ()),
        ),
        plots=_plots(runs),
    )


def _plots(runs: Sequence[LabeledRun]) -> tuple[Plot, ...]:
    """Returns one plot per run, grouped by network where a network has several runs."""
    networks = [label_parts(run.label)[0] for run in runs]
    if len(set(networks)) == len(networks):
        networks = [""] * len(runs)
    return tuple(_plot(run, network) for run, network in zip(runs, networks, strict=True))


def segments(row: LayerTime[MeasuredLayer]) -> list[tuple[str, float, float]]:
    """Divides a layer's time into segments: name, begin and end in seconds.

    Those of the client begin at 0 and touch each other, and end at the time of the layer. Hidden work ends at
    0. It is the server's work for the layer beyond the waiting that counts for the layer. Segments without a
    length are left out.

    ```python
    def client_s(row: LayerTime[MeasuredLayer]) -> float:
        return max(end for _, _, end in segments(row))
    ```
    """
    client, server = row.layer.client, row.layer.server
    found, begin = [], 0.0
    for kind, length in (("compute", client.compute_s), ("send", client.send_s), ("wait", row.wait_s)):
        found.append((kind, begin, begin + length))
        begin += length
    hidden = max(0.0, server.compute_s + server.send_s - row.wait_s)
    found.append(("hidden", -hidden, 0.0))
    return [each for each in found if each[2] > each[1]]


def _plot(run: LabeledRun, group: str) -> Plot:
    known_s = layer_floors_s(run.result.floor)
    measured = run.result.online.layers
    rows = layer_times(measured, [known_s.get(each.id) for each in measured])
    labels = _unique([row.layer.name for row in rows])
    slowest = max(rows, key=lambda row: row.time_s)
    return Plot(
        name=f"layers-{run.number}",
        title=f"Layers of {run.label}",
        words=f"The {len(rows)} layers of {run.label}, from input to output. Most time takes "
        f"{slowest.layer.name}: {seconds(slowest.time_s)}, {percent(slowest.fraction)} of all layers, "
        f"{_waiting_text(slowest)}. "
        f"{_together_text(rows)}{division_text(rows)}{_floor_text(run.result.floor)}",
        spec=_spec(rows, labels),
        table=PageTable(
            f"Online time by layer of {run.label}",
            ("layer", "operator", "ReLUs", "time", "compute", "send", "wait", "hidden", "floor"),
            tuple(_texts(row, label) for row, label in zip(rows, labels, strict=True)),
        ),
        choice=run.label,
        choice_group=group,
        settings=run.settings,
    )


def _together_text(rows: Sequence[LayerTime[MeasuredLayer]]) -> str:
    """Says what the client does in all layers together; "" if they take no time."""
    total_s = sum(row.time_s for row in rows)
    if not total_s:
        return ""
    clients = [row.layer.client for row in rows]
    parts = (
        ("computes for", sum(client.compute_s for client in clients)),
        ("sends for", sum(client.send_s for client in clients)),
        ("waits for", sum(row.wait_s for row in rows)),
    )
    words = [f"{verb} {seconds(time_s)} ({percent(time_s / total_s)})" for verb, time_s in parts]
    return f"In all layers together the client {words[0]}, {words[1]} and {words[2]}. "


def _waiting_text(row: LayerTime[MeasuredLayer]) -> str:
    if not row.wait_s:
        return "without waiting"
    return f"of which {seconds(row.wait_s)} ({percent(row.wait_s / row.time_s)}) are waiting"


def _floor_text(floor: Floor | None) -> str:
    if floor is None:
        return ""
    together, phase = seconds(sum(layer_floors_s(floor).values())), seconds(floor.online.time_s)
    return f" The floors of the layers sum to {together}, the phase has {phase}."


def _spec(rows: Sequence[LayerTime[MeasuredLayer]], labels: Sequence[str]) -> Encoding:
    bars = [
        {"layer": label, "kind": kind, "from_s": rounded(begin), "to_s": rounded(end)}
        for row, label in zip(rows, labels, strict=True)
        for kind, begin, end in segments(row)
    ]
    floors = [
        {"layer": label, "kind": "floor", "to_s": rounded(row.floor_s)}
        for row, label in zip(rows, labels, strict=True)
        if row.floor_s and row.floor_s <= row.time_s
    ]
    shown = {bar["kind"] for bar in bars} | ({"floor"} if floors else set())
    kinds = [kind for kind in _KINDS if kind in shown]
    color = series("kind", kinds, [_COLORS[_KINDS.index(kind)] for kind in kinds])
    x = quantity("to_s", "time of the layer", "s")
    written = with_prefix("abs(datum.value)", "s")
    x["axis"]["labelExpr"] = f"(datum.value < 0 ? 'hidden ' : '') + {written}"
    first = {**quantity("from_s", "time of the layer", "s"), "axis": x["axis"]}
    tick = {"type": "tick", "thickness": 3, "size": 16}
    return bars_of_runs(
        labels,
        [
            layer(
                {"type": "bar", "height": 14},
                bars,
                x=first,
                x2={"field": "to_s"},
                color=color,
                tooltip=tooltip("layer", "kind"),
            ),
            *([layer(tick, floors, x=x, color=color, tooltip=tooltip("layer", "kind"))] if floors else []),
        ],
        field="layer",
    )


def _unique(names: Sequence[str]) -> list[str]:
    """Numbers names that several layers have, because one row of a plot has one name."""
    return [
        f"{name} #{names[: number + 1].count(name)}" if names.count(name) > 1 else name
        for number, name in enumerate(names)
    ]


def _texts(row: LayerTime[MeasuredLayer], label: str) -> tuple[str, ...]:
    lengths = {kind: end - begin for kind, begin, end in segments(row)}
    return (
        label,
        row.layer.operator,
        f"{row.layer.relu_count:,}" if row.layer.relu_count else "-",
        seconds_or_dash(row.time_s),
        *(seconds_or_dash(lengths.get(kind, 0.0)) for kind in _KINDS[:4]),
        seconds_or_dash(row.floor_s or 0.0),
    )
