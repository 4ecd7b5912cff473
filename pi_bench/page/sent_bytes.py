"""Bytes that the parties send, by phase and direction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun, without_link
from pi_bench.page.specs import Encoding, bars_of_runs, layer, series, shapes, spread_out, tooltip
from pi_bench.page.theme import CLIENT, SERVER
from pi_bench.page.time_division import KINDS, kind_of
from pi_bench.protocol.script import Purpose
from pi_bench.report.documents.fields import Directions
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import byte_count, bytes_or_dash, counted

_DIRECTIONS = ("client to server", "server to client")


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase.

    >>> section([]).missing
    ('No run is given.',)
    """
    if not runs:
        return Section("bytes", "Bytes", missing=("No run is given.",))
    distinct = _one_per_settings(runs)
    links = ("Runs that differ in their link alone send the same bytes, and share a row.",)
    return Section(
        "bytes",
        "Bytes",
        words=(
            "Bytes of payload per inference. The two plots have different axes. An axis is logarithmic where "
            "bytes differ by a factor of more than 20.",
            "The tables divide the bytes by what they are sent for. Online these are the kinds of operators, "
            "and the bytes per ReLU are those of the ReLUs alone. Offline these are the parts of the "
            f"protocol, which the last table of the page explains.{_purpose_words(runs)}",
            *(links if len(distinct) < len(runs) else ()),
        ),
        plots=(_plot(distinct, "online"), _plot(distinct, "offline")),
    )


def _purpose_words(runs: Sequence[LabeledRun]) -> str:
    if not any(run.result.offline.bytes_by_purpose for run in runs):
        return ""
    return (
        " The columns that begin with 'for' divide the same bytes by purpose. The rest is what ReLUs and "
        "truncations share."
    )


def directions_of(run: LabeledRun, phase: str) -> dict[str, int]:
    """Returns the bytes of a phase by direction.

    ```python
    def uploaded_bytes(run: LabeledRun) -> int:
        return directions_of(run, "online")["client to server"]
    ```
    """
    sent: Directions = run.result.online.bytes if phase == "online" else run.result.offline.bytes
    return dict(zip(_DIRECTIONS, (sent.client_to_server, sent.server_to_client), strict=True))


def _one_per_settings(runs: Sequence[LabeledRun]) -> Sequence[LabeledRun]:
    """Returns one run for all that differ in their link alone, if all of these send the same bytes."""
    groups: dict[str, list[LabeledRun]] = defaultdict(list)
    for run in runs:
        groups[without_link(run)].append(run)
    for alike in groups.values():
        if any(_sent(run) != _sent(alike[0]) for run in alike):
            return runs
    return [replace(alike[0], label=label) for label, alike in groups.items()]


def _sent(run: LabeledRun) -> tuple[Directions, Directions, float]:
    online = run.result.online
    return online.bytes, run.result.offline.bytes, online.comm_round_count


def bytes_by_kind(result: Result) -> dict[str, int]:
    """Returns the online bytes for each kind of operator, in the order of `KINDS`.

    ```python
    def bytes_of_relus(result: Result) -> int:
        return bytes_by_kind(result).get("ReLUs", 0)
    ```
    """
    found: dict[str, int] = {}
    for each in result.online.layers:
        kind = kind_of(each)
        found[kind] = found.get(kind, 0) + each.bytes.total
    return {kind: found[kind] for kind in KINDS if found.get(kind)}


def _plot(runs: Sequence[LabeledRun], phase: str) -> Plot:
    labels = [run.label for run in runs]
    rows: list[Encoding] = [
        {"run": run.label, "direction": direction, "sent_bytes": count, "bytes": byte_count(count)}
        for run in runs
        for direction, count in directions_of(run, phase).items()
        if count
    ]
    totals = [sum(directions_of(run, phase).values()) for run in runs]
    most = totals.index(max(totals))
    several = f", the most of {len(runs)} runs" if len(runs) > 1 else ""
    axis = spread_out("sent_bytes", f"bytes sent {phase}", "B", [row["sent_bytes"] for row in rows])
    divided = [_divided(run, phase) for run in runs]
    kinds = list(dict.fromkeys(kind for own in divided for kind in own))
    purposes = [run.result.offline.bytes_by_purpose if phase == "offline" else {} for run in runs]
    names = list(dict.fromkeys(name for own in purposes for name, sent in own.items() if sent.total))
    return Plot(
        name=f"bytes-{phase}",
        title=f"Bytes {phase}",
        words=f"{labels[most]} sends {byte_count(totals[most])} {phase}{several}.",
        spec=bars_of_runs(
            labels,
            [
                layer(
                    "point",
                    rows,
                    x=axis,
                    color=series("direction", _DIRECTIONS, (CLIENT, SERVER)),
                    shape=shapes("direction", _DIRECTIONS),
                    tooltip=tooltip("run", "direction", "bytes"),
                )
            ],
            lines=True,
        ),
        table=PageTable(
            f"Bytes sent {phase}",
            (
                "run",
                *_DIRECTIONS,
                "together",
                *(f"for {kind}" if phase == "online" else f"part {kind}" for kind in kinds),
                *(f"for {name}" for name in names),
                *(("per ReLU", "rounds") if phase == "online" else ()),
                *(("per ReLU", "per ReLU or truncation") if names else ()),
            ),
            tuple(
                (
                    run.label,
                    *(byte_count(count) for count in directions_of(run, phase).values()),
                    byte_count(total),
                    *(bytes_or_dash(own.get(kind, 0)) for kind in kinds),
                    *(bytes_or_dash(served[name].total if name in served else 0) for name in names),
                    *((_per_relu(run, own), _rounds(run)) if phase == "online" else ()),
                    *((_offline_per_relu(run), _per_gadget(run)) if names else ()),
                )
                for run, total, own, served in zip(runs, totals, divided, purposes, strict=True)
            ),
        ),
    )


def _divided(run: LabeledRun, phase: str) -> dict[str, int]:
    """Divides the bytes of a phase: online by kind of operator, offline by part of the protocol."""
    if phase == "online":
        return bytes_by_kind(run.result)
    parts = run.result.offline.parts
    return {name: part.bytes.total for name, part in parts.items() if part.bytes.total}


def _per_relu(run: LabeledRun, by_kind: Mapping[str, int]) -> str:
    """Returns the bytes of the layers of ReLUs divided by the ReLUs, and a dash without ReLUs."""
    relu_count = sum(each.relu_count for each in run.result.online.layers)
    return f"{by_kind.get('ReLUs', 0) / relu_count:,.1f} B" if relu_count else "-"


def _per_gadget(run: LabeledRun) -> str:
    """Returns the offline bytes that do not serve linear layers, divided by ReLUs and truncations together.

    A dash stands where the purposes are not known.
    """
    network, by_purpose = run.result.network, run.result.offline.bytes_by_purpose
    count = network.relu_count + network.truncation_count
    if not count or not by_purpose:
        return "-"
    linear = by_purpose.get(Purpose.LINEAR.value)
    sent = run.result.offline.bytes.total - (linear.total if linear else 0)
    return f"{sent / count:,.1f} B"


def _offline_per_relu(run: LabeledRun) -> str:
    """Returns the offline bytes for ReLUs divided by the ReLUs, and a dash where they are not known."""
    sent = run.result.offline.bytes_by_purpose.get(Purpose.RELU.value)
    relu_count = run.result.network.relu_count
    return "-" if sent is None or not relu_count else f"{sent.total / relu_count:,.1f} B"


def _rounds(run: LabeledRun) -> str:
    return counted(run.result.online.comm_round_count, "round").split()[0]
