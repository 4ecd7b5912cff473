"""The online latency over the number of ReLUs, and over the predicted time.

Papers report ReLUs in place of latency. The two plots side by side show which of them tells the latency of
the given networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.predictions import times_s
from pi_bench.page.runs import LabeledRun, link_name
from pi_bench.page.specs import (
    Encoding,
    layer,
    logarithmic,
    points,
    rounded,
    series,
    shapes,
    tooltip,
)
from pi_bench.page.theme import FAINT, colors_by_name
from pi_bench.report.quantities import seconds


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns both plots, where networks of several sizes are given.

    >>> section([]).missing
    ('The runs are not of networks with different numbers of ReLUs, so nothing can be drawn over them.',)
    """
    title = "Latency against ReLUs and against the prediction"
    if len({_relus(run) for run in runs}) < 2:
        return Section(
            "growth",
            title,
            missing=(
                "The runs are not of networks with different numbers of ReLUs, so nothing can be drawn over "
                "them.",
            ),
        )
    predicted = [run for run in runs if run.result.prediction is not None]
    colors = colors_by_name(run.result.protocol for run in runs)
    plots, missing = [_over_relus(runs, colors)], []
    if predicted:
        plots.append(_over_prediction(predicted, colors))
    else:
        missing.append("No result has a prediction, so the latency is not drawn over it.")
    return Section(
        "growth",
        title,
        words=(
            "If ReLUs alone made the latency, the points of each protocol and link would lie on one line on "
            "the left. If the prediction is right, the points on the right lie on the line drawn there.",
            "The axes are logarithmic: equal distances are equal ratios.",
        ),
        plots=tuple(plots),
        missing=tuple(missing),
    )


def _relus(run: LabeledRun) -> int:
    return run.result.network.relu_count


def _rows(runs: Sequence[LabeledRun]) -> list[Encoding]:
    return [
        {
            "run": run.label,
            "protocol": run.result.protocol,
            "link": link_name(run.result),
            "relus": _relus(run),
            "online_s": rounded(run.result.online.latency_s.median),
            "online": seconds(run.result.online.latency_s.median),
        }
        for run in runs
        if _relus(run) and run.result.online.latency_s.median > 0  # a logarithmic axis has no 0
    ]


def _encoded(
    rows: Sequence[Encoding], values_s: Sequence[float], colors: Mapping[str, str]
) -> dict[str, Encoding]:
    protocols, links = (list(dict.fromkeys(row[name] for row in rows)) for name in ("protocol", "link"))
    return {
        "y": logarithmic("online_s", "online latency", "s", values_s),
        "color": series("protocol", protocols, [colors[name] for name in protocols]),
        "shape": shapes("link", links),
    }


def _over_relus(runs: Sequence[LabeledRun], colors: Mapping[str, str]) -> Plot:
    rows = _rows(runs)
    return Plot(
        name="relus",
        title="Online latency against ReLUs",
        words=f"{len(runs)} runs of networks with {min(map(_relus, runs)):,} to {max(map(_relus, runs)):,} "
        "ReLUs.",
        spec=points(
            [
                layer(
                    "point",
                    rows,
                    x=logarithmic("relus", "ReLUs", "", [row["relus"] for row in rows]),
                    **_encoded(rows, [row["online_s"] for row in rows], colors),
                    tooltip=tooltip("run", "relus", "online"),
                )
            ]
        ),
        table=PageTable(
            "Online latency and ReLUs",
            ("run", "ReLUs", "online", "per ReLU"),
            tuple(
                (
                    run.label,
                    f"{_relus(run):,}",
                    seconds(run.result.online.latency_s.median),
                    seconds(run.result.online.latency_s.median / _relus(run)) if _relus(run) else "-",
                )
                for run in runs
            ),
        ),
    )


def _over_prediction(runs: Sequence[LabeledRun], colors: Mapping[str, str]) -> Plot:
    predicted_s = {run.label: rounded(times_s(run, "online")[1]) for run in runs}
    rows = [
        {**row, "predicted_s": predicted_s[row["run"]]} for row in _rows(runs) if predicted_s[row["run"]] > 0
    ]
    values_s = [row[name] for row in rows for name in ("predicted_s", "online_s")]
    x = logarithmic("predicted_s", "predicted online latency", "s", values_s)
    # Both axes have one scale, so the line of right predictions is straight.
    encoded = _encoded(rows, values_s, colors)
    diagonal = [{"predicted_s": value_s, "online_s": value_s} for value_s in x["scale"]["domain"]]
    return Plot(
        name="predicted",
        title="Online latency against the predicted time",
        words=f"{len(runs)} runs with a prediction. A point on the line was predicted exactly.",
        spec=points(
            [
                layer(
                    {"type": "line", "strokeDash": [4, 4]},
                    diagonal,
                    x=x,
                    y=encoded["y"],
                    color={"value": FAINT},
                ),
                layer("point", rows, x=x, **encoded, tooltip=tooltip("run", "online")),
            ]
        ),
        table=PageTable(
            "Online latency and predicted time",
            ("run", "predicted", "online"),
            tuple(
                (run.label, seconds(times_s(run, "online")[1]), seconds(times_s(run, "online")[0]))
                for run in runs
            ),
        ),
    )
