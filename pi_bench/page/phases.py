"""The offline phase beside the online phase, with intervals and floors."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.metrics.statistics import summarize
from pi_bench.page.link_plots import plots_by_link
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun
from pi_bench.page.specs import Encoding, bars_of_runs, interval, layer, quantity, rounded, series, tooltip
from pi_bench.page.theme import INK, MEASURED
from pi_bench.report.quantities import seconds, span_text

_MEASURED, _FLOOR = "median", "floor"
_TITLES = {"online": "Online latency", "offline": "Offline time"}


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase, side by side. Their axes differ, because the times differ by far.

    >>> section([]).plots
    ()
    """
    if not runs:
        return Section("phases", "Offline and online", missing=("No run is given.",))
    return Section(
        "phases",
        "Offline and online",
        words=(
            "Bars are medians of the timed runs. The line along a bar is the interval of the median "
            "(confidence 95 %), or the middle half of the runs where fewer than 6 were timed. The tick "
            "across a bar is the floor: no whole run on that machine and link can be faster.",
            "Each plot has an axis of its own.",
        ),
        plots=plots_by_link(runs, _plot),
        missing=()
        if any(run.result.floor is not None for run in runs)
        else ("No floor is drawn: the results have no limits of the machine.",),
    )


def samples_of(run: LabeledRun, phase: str) -> list[float]:
    """Returns the times of a phase in seconds, one per timed run.

    ```python
    def longest_s(run: LabeledRun) -> float:
        return max(samples_of(run, "offline"))
    ```
    """
    result = run.result
    return result.online.latency_s.samples if phase == "online" else result.offline.samples_s


def floor_s(run: LabeledRun, phase: str) -> float | None:
    """Returns the floor of a phase in seconds; None where it was not measured.

    ```python
    def has_floor(run: LabeledRun) -> bool:
        return floor_s(run, "online") is not None
    ```
    """
    floor = run.result.floor
    if floor is None:
        return None
    return floor.online.time_s if phase == "online" else floor.offline.time_s


def _plot(runs: Sequence[LabeledRun], phase: str) -> Plot:
    labels = [run.label for run in runs]
    summaries = [_summary(run, phase) for run in runs]
    bars = [
        {"run": label, "kind": _MEASURED, "time_s": rounded(median), "time": seconds(median)}
        for label, (median, _, _) in zip(labels, summaries, strict=True)
    ]
    intervals = [
        {"run": label, "low_s": rounded(low), "high_s": rounded(high)}
        for label, (_, low, high) in zip(labels, summaries, strict=True)
    ]
    floors = [
        {"run": run.label, "kind": _FLOOR, "time_s": rounded(least_s), "time": seconds(least_s)}
        for run in runs
        if (least_s := floor_s(run, phase)) is not None
    ]
    return Plot(
        name=phase,
        title=_TITLES[phase],
        words=_words(labels, [median for median, _, _ in summaries], phase),
        spec=_spec(labels, bars, intervals, floors, _TITLES[phase].lower()),
        table=PageTable(
            f"{_TITLES[phase]} by run",
            ("run", "median", "from", "to", "floor"),
            tuple(
                (run.label, seconds(median), seconds(low), seconds(high), _floor_text(floor_s(run, phase)))
                for run, (median, low, high) in zip(runs, summaries, strict=True)
            ),
        ),
    )


def _summary(run: LabeledRun, phase: str) -> tuple[float, float, float]:
    """Returns the median and the ends of its interval, or of the middle half of few runs."""
    if phase == "online":
        latency = run.result.online.latency_s
        low, high = latency.interval or (latency.q1, latency.q3)
        return latency.median, low, high
    summary = summarize(samples_of(run, phase))
    low, high = summary.interval or (summary.q1, summary.q3)
    return run.result.offline.time_s, low, high


def _spec(
    labels: Sequence[str],
    bars: list[Encoding],
    intervals: list[Encoding],
    floors: list[Encoding],
    title: str,
) -> Encoding:
    x = quantity("time_s", title, "s")
    shown = [_MEASURED, _FLOOR] if floors else [_MEASURED]
    color = series("kind", shown, (MEASURED, INK))
    tick = {"type": "tick", "thickness": 3, "size": 18}
    return bars_of_runs(
        labels,
        [
            layer({"type": "bar", "height": 14}, bars, x=x, color=color, tooltip=tooltip("run", "time")),
            interval(intervals, "low_s", "high_s"),
            *([layer(tick, floors, x=x, color=color, tooltip=tooltip("run", "time"))] if floors else []),
        ],
    )


def _words(labels: Sequence[str], medians_s: Sequence[float], phase: str) -> str:
    if len(labels) == 1:
        return f"The {phase} phase takes {seconds(medians_s[0])}."
    least, most = min(medians_s), max(medians_s)
    return (
        f"The {phase} phase of {len(labels)} runs takes {span_text(least, most)}. Shortest: "
        f"{labels[medians_s.index(least)]}. Longest: {labels[medians_s.index(most)]}."
    )


def _floor_text(value_s: float | None) -> str:
    return "-" if value_s is None else seconds(value_s)
