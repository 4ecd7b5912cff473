"""Predicted times beside measured ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from pi_bench.page.link_plots import plots_by_link
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun, link_name
from pi_bench.page.specs import (
    Encoding,
    bars_of_runs,
    interval,
    layer,
    quantity,
    rounded,
    series,
    shapes,
    tooltip,
)
from pi_bench.page.theme import colors_by_name
from pi_bench.report.documents.latency import ProbedLink
from pi_bench.report.documents.predicted import ComparedPrediction
from pi_bench.report.quantities import difference_text, percent, seconds

_PHASES = ("online", "offline")
_FEWEST = 3
"""So few predictions may have errors of one sign by chance."""
_ONE_SIDED = 0.9
"""Errors are one-sided if at least this part of them has one sign."""
_SMALL = 0.03
"""A smaller median error is not worth a sentence."""


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase with the error of each run's prediction.

    >>> section([]).plots
    ()
    """
    known = [run for run in runs if run.result.prediction is not None]
    missing = [run.label for run in runs if run.result.prediction is None]
    words = "A protocol without a script has no prediction."
    if not known:
        return Section(
            "predictions",
            "Predicted and measured",
            missing=(f"No result has a prediction, so none is drawn. {words}",),
        )
    colors = colors_by_name(run.result.protocol for run in runs)
    return Section(
        "predictions",
        "Predicted and measured",
        words=(
            "A prediction is computed from the costs of single primitives and from the link. It does not use "
            "the measured time. A line leads from 0, which is the measured time, to the prediction.",
            *overall_words(known),
        ),
        plots=plots_by_link(known, lambda found, phase: _plot(found, phase, colors)),
        tables=_error_tables(known),
        missing=(f"Without a prediction: {'; '.join(missing)}. {words}",) if missing else (),
    )


def overall_words(runs: Sequence[LabeledRun]) -> tuple[str, ...]:
    """Judges the predictions of several runs: their typical error, and the groups that err to one side.

    A group is a phase of one protocol on one link.

    >>> overall_words([])
    ()
    """
    if len(runs) < _FEWEST:
        return ()
    errors = {phase: [_ratio(run, phase) - 1 for run in runs] for phase in _PHASES}
    typical = " and ".join(
        f"at most {percent(statistics.median(map(abs, found)))} {phase}" for phase, found in errors.items()
    )
    biased = [words for phase in errors for words in _one_sided(runs, phase)]
    return (
        f"Half of the {len(runs)} predictions are wrong by {typical}. "
        + (f"These groups err to one side: {'; '.join(biased)}." if biased else "No group errs to one side."),
        *(
            (
                "A right prediction over a slow link shows little more than that the link is known, because "
                "the link takes nearly all of the time.",
            )
            if any(isinstance(run.result.link, ProbedLink) for run in runs)
            else ()
        ),
    )


def _one_sided(runs: Sequence[LabeledRun], phase: str) -> list[str]:
    found = []
    for (protocol, link), own in _groups(runs).items():
        errors = [_ratio(run, phase) - 1 for run in own]
        sign = 1 if statistics.median(errors) > 0 else -1
        count = sum(sign * error > 0 for error in errors)
        middle = statistics.median(errors)
        if len(errors) < _FEWEST or count < _ONE_SIDED * len(errors) or abs(middle) < _SMALL:
            continue
        side = "long" if sign > 0 else "short"
        found.append(
            f"{protocol} {phase} on {link}, {count} of {len(errors)} too {side}, by {percent(abs(middle))} "
            "in the median"
        )
    return found


def _groups(runs: Sequence[LabeledRun]) -> dict[tuple[str, str], list[LabeledRun]]:
    """Groups runs by protocol and link."""
    groups: dict[tuple[str, str], list[LabeledRun]] = {}
    for run in runs:
        groups.setdefault((run.result.protocol, link_name(run.result)), []).append(run)
    return groups


def _error_tables(runs: Sequence[LabeledRun]) -> tuple[PageTable, ...]:
    """Returns the table of errors by protocol and link; nothing for few runs, which their own plots show."""
    if len(runs) < _FEWEST:
        return ()
    rows = []
    for (protocol, link), own in _groups(runs).items():
        row = [protocol, link, str(len(own))]
        for phase in _PHASES:
            errors = sorted(_ratio(run, phase) - 1 for run in own)
            row += [percent(statistics.median(map(abs, errors))), _signed_range(errors[0], errors[-1])]
        rows.append(tuple(row))
    columns = [f"{phase}, {what}" for phase in _PHASES for what in ("half within", "lowest to highest")]
    return (
        PageTable(
            "Errors of predictions by protocol and link", ("protocol", "link", "runs", *columns), tuple(rows)
        ),
    )


def _signed_range(low: float, high: float) -> str:
    first, last = (f"{100 * error:+.0f}" for error in (low, high))
    return f"{first} %" if first == last else f"{first} to {last} %"


def times_s(run: LabeledRun, phase: str) -> tuple[float, float]:
    """Returns the measured and the predicted time of a phase of a run that has a prediction.

    ```python
    def online_error_s(run: LabeledRun) -> float:
        measured, predicted = times_s(run, "online")
        return predicted - measured
    ```
    """
    prediction: ComparedPrediction | None = run.result.prediction
    assert prediction is not None, "runs without a prediction are left out"
    if phase == "online":
        return run.result.online.latency_s.median, prediction.online.latency_s
    return run.result.offline.time_s, prediction.offline.time_s


def _distance(ratio: float) -> float:
    """Returns by which factor a prediction is off, above or below."""
    return max(ratio, 1 / ratio) if ratio else math.inf


def _ratio(run: LabeledRun, phase: str) -> float:
    measured, predicted = times_s(run, phase)
    return predicted / measured if measured else 1.0


def _plot(runs: Sequence[LabeledRun], phase: str, colors: Mapping[str, str]) -> Plot:
    ratios = [_ratio(run, phase) for run in runs]
    texts = [difference_text(ratio, "measured") for ratio in ratios]
    rows: list[Encoding] = [
        {
            "run": run.label,
            "protocol": run.result.protocol,
            "error_pct": rounded(100 * (ratio - 1)),
            "begin_pct": 0,
            "predicted": text,
        }
        for run, ratio, text in zip(runs, ratios, texts, strict=True)
    ]
    farthest = max(range(len(runs)), key=lambda number: _distance(ratios[number]))
    return Plot(
        name=f"predicted-{phase}",
        title=f"Error of the prediction, {phase}",
        words=f"The prediction that is farthest off is that of {runs[farthest].label}: {texts[farthest]}."
        if len(runs) > 1
        else f"The prediction {phase} is {texts[0]}.",
        spec=_spec(runs, rows, phase, colors),
        table=PageTable(
            f"Predicted and measured times, {phase}",
            ("run", "measured", "predicted", "difference"),
            tuple(
                (run.label, *(seconds(value_s) for value_s in times_s(run, phase)), text)
                for run, text in zip(runs, texts, strict=True)
            ),
        ),
    )


def _spec(
    runs: Sequence[LabeledRun], rows: Sequence[Encoding], phase: str, colors: Mapping[str, str]
) -> Encoding:
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    x = quantity("error_pct", f"predicted minus measured, {phase}", "")
    x["axis"]["labelExpr"] = "datum.label + ' %'"
    return bars_of_runs(
        [run.label for run in runs],
        [
            interval(rows, "begin_pct", "error_pct"),
            layer(
                "point",
                rows,
                x=x,
                color=series("protocol", protocols, [colors[name] for name in protocols]),
                shape=shapes("protocol", protocols),
                tooltip=tooltip("run", "predicted"),
            ),
        ],
        lines=True,
    )
