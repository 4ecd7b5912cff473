"""Divides the online time by cause: the client's work, the server's work, bytes, round trips.

The client's clock knows computing, sending and waiting, by layer. The link's probe divides the waiting for a
layer further: into round trips, into the time that the layer's bytes need, and into the rest, for which the
server works. So waiting for a convolution, which sends nothing, is the server's.
"""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.page.doubts import added_by_bytes_s, added_by_trips_s, fraction_range, part_of_latency
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun, by_link, on_one_link
from pi_bench.page.specs import Encoding, bars_of_runs, layer, quantity, rounded, series, tooltip
from pi_bench.page.theme import CLIENT, MESSAGES, SERVER, TRIPS
from pi_bench.page.time_division import KINDS, fractions_by_kind
from pi_bench.report.documents.fields import Loopback
from pi_bench.report.documents.latency import MeasuredLayer, ProbedLink, Result
from pi_bench.report.layer_time import LayerTime, layer_times
from pi_bench.report.quantities import percent, seconds, seconds_or_dash

CAUSES = ("client's work", "server's work", "bytes", "round trips")
"""The causes, in the order in which they stand in a bar."""
_COLORS = (CLIENT, SERVER, MESSAGES, TRIPS)
_ADDED = ("longer round trips add", "missing bandwidth adds at most")
_TITLE = "What takes the online time"


_EMULATED = (
    "The tables also say what an emulated link adds where its probe is slower than `--link` asks for, in "
    "seconds and as a part of the online latency.",
)


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per link with the causes of each run's time, and a table by kind of operator.

    >>> section([]).missing
    ('No run is given.',)
    """
    if not runs:
        return Section("causes", _TITLE, missing=("No run is given.",))
    links = by_link(runs)
    known = [run for run in runs if any(causes_s(run.result).values())]
    return Section(
        "causes",
        _TITLE,
        words=(
            "A bar is the online time on the client's clock. The client's work is its computing. The "
            "client's waiting is divided layer by layer. The first part is the round trips of the layer, as "
            "probed. The next part is the time that the bytes of the layer need at the probed bandwidth; "
            "the bar of bytes also has the client's sending, in which it hands its messages over. The rest "
            "is the server's work: the client waits for it, or for a process to wake up.",
            "Example: the client waits 5 ms for a layer with one round trip of 0.2 ms, whose bytes need 4 "
            "ms. These are 0.2 ms of round trips, 4 ms of bytes and 0.8 ms of the server's work. On "
            "loopback nothing is probed, and all waiting is the server's work.",
            *(_EMULATED if any(isinstance(run.result.link, ProbedLink) for run in runs) else ()),
        ),
        plots=tuple(
            _plot([on_one_link(run) for run in found], number, link)
            if len(links) > 1
            else _plot(found, 0, link)
            for number, (link, runs_of_link) in enumerate(links.items(), start=1)
            if (found := [run for run in runs_of_link if run in known])
        ),
        tables=_kind_tables(known),
    )


def causes_s(result: Result) -> dict[str, float]:
    """Returns the seconds of each cause. Together they are what the client recorded over all layers.

    ```python
    def mostly_travel(result: Result) -> bool:
        found = causes_s(result)
        return found["round trips"] > sum(found.values()) / 2
    ```
    """
    compute_s = server_s = bytes_s = trips_s = 0.0
    for row in layer_times(result.online.layers):
        own_trips_s, own_bytes_s = _link_s(result, row)
        compute_s += row.layer.client.compute_s
        trips_s += own_trips_s
        bytes_s += row.layer.client.send_s + own_bytes_s
        server_s += row.wait_s - own_trips_s - own_bytes_s
    return dict(zip(CAUSES, (compute_s, max(0.0, server_s), bytes_s, trips_s), strict=True))


def _link_s(result: Result, row: LayerTime[MeasuredLayer]) -> tuple[float, float]:
    """Returns the parts of the waiting for a layer in which messages travel: round trips, and bytes."""
    if isinstance(result.link, Loopback):
        return 0.0, 0.0
    probed, sent = result.link.measured, row.layer.bytes
    trips_s = min(row.wait_s, row.layer.comm_round_count * probed.rtt_s)
    transfer_s = 8 * (
        sent.client_to_server / probed.up_bits_per_s + sent.server_to_client / probed.down_bits_per_s
    )
    return trips_s, min(row.wait_s - trips_s, max(0.0, transfer_s - row.layer.client.send_s))


def _plot(runs: Sequence[LabeledRun], number: int, link: str) -> Plot:
    several = f", {link}" if number else ""
    emulated = any(isinstance(run.result.link, ProbedLink) for run in runs)
    rows: list[Encoding] = []
    for run in runs:
        found, begin = causes_s(run.result), 0.0
        total_s = sum(found.values())
        for cause, value_s in found.items():
            if value_s > 0:
                end = begin + 100 * value_s / total_s
                rows.append(
                    {
                        "run": run.label,
                        "cause": cause,
                        "from_pct": rounded(begin),
                        "to_pct": rounded(end),
                        "time": seconds(value_s),
                    }
                )
                begin = end
    return Plot(
        name=f"causes{f'-{number}' if number else ''}",
        title=f"Online time by cause{several}",
        words=_words(runs),
        spec=_spec([run.label for run in runs], rows),
        table=PageTable(
            f"Online time by cause{several}",
            ("run", "online", *CAUSES, *(_ADDED if emulated else ())),
            tuple(
                (
                    run.label,
                    seconds(run.result.online.latency_s.median),
                    *(seconds_or_dash(value_s) for value_s in causes_s(run.result).values()),
                    *(_added_texts(run.result) if emulated else ()),
                )
                for run in runs
            ),
        ),
    )


def _added_texts(result: Result) -> list[str]:
    return [
        f"{seconds(added_s)}, {fraction_range([part_of_latency(result, added_s)])}" if added_s else "-"
        for added_s in (added_by_trips_s(result), added_by_bytes_s(result))
    ]


def _words(runs: Sequence[LabeledRun]) -> str:
    """Says for each protocol which part of the time each cause takes, over its runs."""
    sentences = []
    for protocol in dict.fromkeys(run.result.protocol for run in runs):
        own = [causes_s(run.result) for run in runs if run.result.protocol == protocol]
        ranges = ", ".join(
            f"{cause} {fraction_range([found[cause] / sum(found.values()) for found in own])}"
            for cause in CAUSES
            if any(found[cause] for found in own)
        )
        sentences.append(f"Of the time of {protocol}: {ranges}.")
    return " ".join(sentences)


def _spec(labels: Sequence[str], rows: Sequence[Encoding]) -> Encoding:
    x = quantity("from_pct", "part of the online time", "")
    x["scale"]["domain"] = [0, 100]
    x["axis"]["labelExpr"] = "datum.label + ' %'"
    shown = [cause for cause in CAUSES if any(row["cause"] == cause for row in rows)]
    colors = [_COLORS[CAUSES.index(cause)] for cause in shown]
    bars = layer(
        {"type": "bar", "height": 14},
        rows,
        x=x,
        x2={"field": "to_pct"},
        color=series("cause", shown, colors),
        tooltip=tooltip("run", "cause", "time"),
    )
    return bars_of_runs(labels, [bars])


def _kind_tables(runs: Sequence[LabeledRun]) -> tuple[PageTable, ...]:
    """Returns the parts of the online time by kind of operator, one row per run."""
    fractions = [fractions_by_kind(run) for run in runs]
    kinds = [kind for kind in KINDS if any(kind in own for own in fractions)]
    if not kinds:
        return ()
    return (
        PageTable(
            "Online time by kind of operator, of each run",
            ("run", *kinds),
            tuple(
                (run.label, *(percent(own[kind]) if kind in own else "-" for kind in kinds))
                for run, own in zip(runs, fractions, strict=True)
            ),
            sort_values=tuple((None, *(own.get(kind, 0.0) for kind in kinds)) for own in fractions),
            folded=True,
        ),
    )
