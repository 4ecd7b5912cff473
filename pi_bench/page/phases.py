"""The offline phase beside the online phase, with intervals and floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pi_bench.metrics.statistics import summarize
from pi_bench.page.link_plots import plots_by_link
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun
from pi_bench.page.specs import (
    Encoding,
    bars_of_runs,
    interval,
    layer,
    rounded,
    series,
    shapes,
    spread_out,
    tooltip,
)
from pi_bench.page.theme import INK, colors_by_name
from pi_bench.report.quantities import MIN_QUARTILE_RUNS, counted, seconds, span_text

_CONFIDENCE, _QUARTILES, _NEITHER = "confidence 95 %", "quartiles", ""
_FLOOR = "floor"
_TITLES = {"online": "Online latency", "offline": "Offline time"}


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase, side by side. Their axes differ, because the times differ by far.

    >>> section([]).plots
    ()
    """
    if not runs:
        return Section("phases", "Offline and online", missing=("No run is given.",))
    colors = colors_by_name(run.result.protocol for run in runs)
    return Section(
        "phases",
        "Offline and online",
        words=(
            f"A point is the median of the timed runs, in the color of its protocol. {_interval_words(runs)} "
            "The upright tick is the floor: no run on that machine and link can be faster.",
            "Each plot has an axis of its own. The axis is logarithmic where times differ by a factor of "
            "more than 20: equal distances are then equal ratios.",
        ),
        plots=plots_by_link(runs, lambda found, phase: _plot(found, phase, colors)),
        missing=()
        if any(run.result.floor is not None for run in runs)
        else ("No floor is drawn: the results have no limits of the machine.",),
    )


def _interval_words(runs: Sequence[LabeledRun]) -> str:
    """Says what the line beside a point is: with few runs it cannot be an interval of the median."""
    names = {_interval_name(run) for run in runs}
    few = " Results of one or two runs have no line." if _NEITHER in names else ""
    names.discard(_NEITHER)
    if not names:
        return "So few runs show no spread."
    if names == {_CONFIDENCE}:
        return f"The line through it is the interval in which the median lies with a confidence of 95 %.{few}"
    counts = sorted({run.result.runs for run in runs if _interval_name(run) == _QUARTILES})
    how_many = counted(counts[0], "run") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} runs"
    quartiles = f"the quartiles of {how_many}: half of the runs lie between them"
    if names == {_QUARTILES}:
        return f"The line through it joins {quartiles}.{few}"
    return (
        "The line through it is the interval in which the median lies with a confidence of 95 %. Where a "
        f"result has too few runs for one, the line joins {quartiles}.{few}"
    )


def _interval_name(run: LabeledRun) -> str:
    if run.result.online.latency_s.interval is not None:
        return _CONFIDENCE
    return _QUARTILES if run.result.runs >= MIN_QUARTILE_RUNS else _NEITHER


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


def _plot(runs: Sequence[LabeledRun], phase: str, colors: Mapping[str, str]) -> Plot:
    labels = [run.label for run in runs]
    summaries = [_summary(run, phase) for run in runs]
    medians = [
        {
            "run": run.label,
            "kind": run.result.protocol,
            "time_s": rounded(median),
            "time": seconds(median),
        }
        for run, (median, _, _) in zip(runs, summaries, strict=True)
    ]
    intervals = [
        {"run": label, "low_s": rounded(low), "high_s": rounded(high)}
        for run, label, (_, low, high) in zip(runs, labels, summaries, strict=True)
        if _interval_name(run)
    ]
    floors = [
        {"run": run.label, "kind": _FLOOR, "time_s": rounded(least_s), "time": seconds(least_s)}
        for run in runs
        if (least_s := floor_s(run, phase)) is not None
    ]
    between = " or ".join(filter(None, dict.fromkeys(map(_interval_name, runs)))) or _QUARTILES
    return Plot(
        name=phase,
        title=_TITLES[phase],
        words=_words(labels, [median for median, _, _ in summaries], phase),
        spec=_spec(labels, medians, intervals, floors, _TITLES[phase].lower(), colors),
        table=PageTable(
            f"{_TITLES[phase]} by run",
            ("run", "median", between, "floor"),
            tuple(
                (run.label, seconds(median), _between(run, low, high), _floor_text(floor_s(run, phase)))
                for run, (median, low, high) in zip(runs, summaries, strict=True)
            ),
        ),
    )


def _between(run: LabeledRun, low_s: float, high_s: float) -> str:
    return span_text(low_s, high_s) if _interval_name(run) else "-"


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
    medians: list[Encoding],
    intervals: list[Encoding],
    floors: list[Encoding],
    title: str,
    colors: Mapping[str, str],
) -> Encoding:
    ends = [row[end] for row in intervals for end in ("low_s", "high_s")]
    x = spread_out("time_s", title, "s", [*ends, *(row["time_s"] for row in (*medians, *floors))])
    kinds = list(dict.fromkeys(row["kind"] for row in medians))
    shown = [*kinds, *([_FLOOR] if floors else [])]
    color = series("kind", shown, [*(colors[kind] for kind in kinds), INK])
    shape, about = shapes("kind", shown, upright=_FLOOR), tooltip("run", "time")
    return bars_of_runs(
        labels,
        [
            layer("point", medians, x=x, color=color, shape=shape, tooltip=about),
            interval(intervals, "low_s", "high_s"),
            *([layer("point", floors, x=x, color=color, shape=shape, tooltip=about)] if floors else []),
        ],
        lines=True,
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
