"""Bytes that the parties send, by phase and direction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun, without_link
from pi_bench.page.specs import Encoding, bars_of_runs, layer, quantity, series, tooltip
from pi_bench.page.theme import CLIENT, SERVER
from pi_bench.report.documents.fields import Directions
from pi_bench.report.quantities import byte_count, counted

_DIRECTIONS = ("client to server", "server to client")


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase.

    >>> section([]).missing
    ('No run is given.',)
    """
    if not runs:
        return Section("bytes", "Bytes", missing=("No run is given.",))
    distinct = _one_per_settings(runs)
    links = ("Runs that differ in their link alone send the same bytes, and have one bar.",)
    return Section(
        "bytes",
        "Bytes",
        words=(
            "Bytes of payload per inference. The two plots have different axes. The bytes per ReLU in the "
            "tables are those of the whole phase, linear layers included.",
            *(links if len(distinct) < len(runs) else ()),
        ),
        plots=(_plot(distinct, "online"), _plot(distinct, "offline")),
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


def _plot(runs: Sequence[LabeledRun], phase: str) -> Plot:
    labels = [run.label for run in runs]
    rows: list[Encoding] = []
    for run in runs:
        begin = 0
        for direction, count in directions_of(run, phase).items():
            if count:
                rows.append(
                    {
                        "run": run.label,
                        "direction": direction,
                        "from_bytes": begin,
                        "to_bytes": begin + count,
                        "bytes": byte_count(count),
                    }
                )
            begin += count
    totals = [sum(directions_of(run, phase).values()) for run in runs]
    most = totals.index(max(totals))
    several = f", the most of {len(runs)} runs" if len(runs) > 1 else ""
    return Plot(
        name=f"bytes-{phase}",
        title=f"Bytes {phase}",
        words=f"{labels[most]} sends {byte_count(totals[most])} {phase}{several}.",
        spec=bars_of_runs(
            labels,
            [
                layer(
                    {"type": "bar", "height": 14},
                    rows,
                    x=quantity("from_bytes", f"bytes sent {phase}", "B"),
                    x2={"field": "to_bytes"},
                    color=series("direction", _DIRECTIONS, (CLIENT, SERVER)),
                    tooltip=tooltip("run", "direction", "bytes"),
                )
            ],
        ),
        table=PageTable(
            f"Bytes sent {phase}",
            ("run", *_DIRECTIONS, "together", "per ReLU", *(("rounds",) if phase == "online" else ())),
            tuple(
                (
                    run.label,
                    *(byte_count(count) for count in directions_of(run, phase).values()),
                    byte_count(total),
                    _per_relu(run, total),
                    *((_rounds(run),) if phase == "online" else ()),
                )
                for run, total in zip(runs, totals, strict=True)
            ),
        ),
    )


def _per_relu(run: LabeledRun, total: int) -> str:
    """Returns the bytes of a whole phase divided by the ReLUs, and a dash without ReLUs."""
    relu_count = run.result.network.relu_count
    return f"{total / relu_count:,.1f} B" if relu_count else "-"


def _rounds(run: LabeledRun) -> str:
    return counted(run.result.online.comm_round_count, "round").split()[0]
