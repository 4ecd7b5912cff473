"""Predicted times beside measured ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from pi_bench.page.link_plots import plots_by_link
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.runs import LabeledRun
from pi_bench.page.specs import Encoding, bars_of_runs, layer, offset, quantity, rounded, series, tooltip
from pi_bench.page.theme import MEASURED, PREDICTED
from pi_bench.report.documents.predicted import ComparedPrediction
from pi_bench.report.quantities import difference_text, seconds

_KINDS = ("measured", "predicted")


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns one plot per phase with two bars per run.

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
    return Section(
        "predictions",
        "Predicted and measured",
        words=(
            "Predictions come from the costs of single primitives and the link alone. They know nothing of "
            "the measured time.",
        ),
        plots=plots_by_link(known, _plot),
        missing=(f"Without a prediction: {'; '.join(missing)}. {words}",) if missing else (),
    )


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


def _middle_words(ratios: Sequence[float]) -> str:
    """Returns a sentence about the median difference of predicted and measured times."""
    middle = statistics.median(abs(ratio - 1) for ratio in ratios)
    return f"Half of the {len(ratios)} predictions are at most {100 * middle:.0f} % off."


def _plot(runs: Sequence[LabeledRun], phase: str) -> Plot:
    rows: list[Encoding] = [
        {"run": run.label, "kind": kind, "time_s": rounded(value_s), "time": seconds(value_s)}
        for run in runs
        for kind, value_s in zip(_KINDS, times_s(run, phase), strict=True)
    ]
    ratios = [
        predicted / measured if measured else 1.0
        for measured, predicted in (times_s(run, phase) for run in runs)
    ]
    farthest = max(range(len(runs)), key=lambda number: _distance(ratios[number]))
    return Plot(
        name=f"predicted-{phase}",
        title=f"Predicted and measured, {phase}",
        words=f"The prediction {phase} that is farthest off is that of {runs[farthest].label}: "
        f"{difference_text(ratios[farthest], 'measured')}. {_middle_words(ratios)}"
        if len(runs) > 1
        else f"The prediction {phase} is {difference_text(ratios[0], 'measured')}.",
        spec=bars_of_runs(
            [run.label for run in runs],
            [
                layer(
                    "bar",
                    rows,
                    x=quantity("time_s", f"time {phase}", "s"),
                    yOffset=offset("kind", _KINDS),
                    color=series("kind", _KINDS, (MEASURED, PREDICTED)),
                    tooltip=tooltip("run", "kind", "time"),
                )
            ],
            bars_per_name=len(_KINDS),
        ),
        table=PageTable(
            f"Predicted and measured times, {phase}",
            ("run", *_KINDS, "difference"),
            tuple(
                (
                    run.label,
                    *(seconds(value_s) for value_s in times_s(run, phase)),
                    difference_text(ratio, "measured"),
                )
                for run, ratio in zip(runs, ratios, strict=True)
            ),
        ),
    )
