"""Accuracy over the online latency: measured here, and as papers print both.

A point lies on the Pareto frontier if no other point of its series costs at most as much and is at least as
accurate, and better in one of both. Each series whose figures are both measured here, or both of a paper, has
a frontier of its own: one protocol on one link, or one test bed of papers. No line joins latencies of
different test beds, or points with a latency measured here and a published accuracy: a frontier would promise
that these networks, trained and run here, are that accurate.

The color of a mark is the protocol or the method of a paper, and its shape is the link. A mark with a
published accuracy is hollow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pi_bench.page.parts import PageTable, Plot
from pi_bench.page.published import TABLE, PublishedLatency
from pi_bench.page.runs import LabeledRun
from pi_bench.page.specs import (
    Encoding,
    layer,
    logarithmic,
    points,
    quantity,
    rounded,
    series,
    shapes,
    tooltip,
)
from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.quantities import seconds

_HERE = "measured here"
_PAPER = "test bed of a paper"
_HOLLOW = {"type": "point", "filled": False, "strokeWidth": 2}


def plot(
    data: str,
    runs: Sequence[LabeledRun],
    own: Sequence[Accuracy],
    published: Sequence[PublishedLatency],
    names: Mapping[tuple[str, str], str],
    colors: Mapping[str, str],
) -> Plot | None:
    """Returns the plot of a data set; None where no run has an accuracy.

    A run has the accuracy that was measured for its program. Without one, it has that of the published
    network of its name.

    Args:
        own: accuracies that were measured on this data set.
        names: the methods' names by method and mark.
        colors: those of all protocols and names.

    >>> plot("cifar100", [], [], [], {}, {}) is None
    True
    """
    rows = _measured(runs, own, published)
    if not rows:
        return None
    count = len(rows)
    rows += [
        {
            "series": f"{names[point.method, TABLE]}, latency and accuracy as published",
            "made_by": _of_paper(names[point.method, TABLE]),
            "link": _PAPER,
            "hollow": True,
            "network": point.network,
            "relus": "not published" if point.relu_count is None else f"{point.relu_count:,}",
            "weights": "of the paper",
            "online_s": point.latency_s,
            "accuracy_pct": point.accuracy_pct,
            "accuracy_from": point.source,
            "test_bed": point.test_bed,
        }
        for point in published
        if point.latency_s
    ]
    on = f" on {data}" if data else ""
    joined = any(row["hollow"] for row in rows[:count])
    joined_words = ": latencies measured here, accuracies as published" if joined else ""
    return Plot(
        name=f"accuracy-latency{'-' if data else ''}{data}",
        title=f"Accuracy against the online latency{on}{joined_words}",
        words=f"{count} runs that were measured here, and {len(rows) - count} points with both figures as "
        "published, on the test bed of their paper. The color is the protocol or the method of a paper, and "
        "the shape is the link. Hollow marks have a published accuracy. The table names every test bed."
        f"{_random_words(rows[:count])}",
        spec=_spec(rows, {**{_of_paper(name): color for name, color in colors.items()}, **colors}),
        caption=_caption(rows[:count], sum(bool(run.result.cautions) for run in runs)),
        table=PageTable(
            f"Accuracy and online latency{on}",
            (
                "network",
                "ReLUs",
                "series",
                "weights",
                "online latency",
                "accuracy",
                "accuracy from",
                "test bed",
            ),
            tuple(
                (
                    row["network"],
                    row["relus"],
                    row["series"],
                    row["weights"],
                    seconds(row["online_s"]),
                    f"{row['accuracy_pct']:.2f} %",
                    row["accuracy_from"],
                    row["test_bed"],
                )
                for row in rows
            ),
        ),
    )


def _of_paper(name: str) -> str:
    """Names a method of a paper so that it differs from a protocol of the same name.

    A name with the place where its figures were read differs already.
    """
    return name if name.endswith(")") else f"{name} (paper)"


def _caption(measured: Sequence[Encoding], caution_count: int) -> tuple[str, ...]:
    """Says in a file what the title and the words of the page say: whose each figure is."""
    lines = []
    if any(row["hollow"] for row in measured):
        lines.append(
            "Hollow: accuracies as published. Latencies of protocols are measured, those of papers published."
        )
    if any(row["weights"] == "random" for row in measured):
        lines.append("The networks that were measured have random weights.")
    if caution_count:
        lines.append(f"{caution_count} of the results that were measured have a caution about the machine.")
    return tuple(lines)


def _random_words(runs: Sequence[Encoding]) -> str:
    number = sum(row["weights"] == "random" for row in runs)
    if not number:
        return ""
    return (
        f" {f'All {number}' if number == len(runs) else f'{number} of the {len(runs)}'} runs have random "
        "weights. The latency does not depend on the weights. "
        "The accuracy is that of the paper's trained network of the same name."
    )


def frontier(candidates: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns the points (cost, accuracy) that no other point dominates, by rising cost.

    >>> frontier([(1.0, 60.0), (2.0, 70.0), (3.0, 65.0), (2.0, 50.0)])
    [(1.0, 60.0), (2.0, 70.0)]
    """
    found: list[tuple[float, float]] = []
    for cost, accuracy in sorted(set(candidates), key=lambda point: (point[0], -point[1])):
        if not found or accuracy > found[-1][1]:
            found.append((cost, accuracy))
    return found


def _measured(
    runs: Sequence[LabeledRun], own: Sequence[Accuracy], published: Sequence[PublishedLatency]
) -> list[Encoding]:
    by_digest = {each.network.digest: each for each in own}
    by_name = {point.network: point for point in reversed(published)}  # the first of a name counts
    rows: list[Encoding] = []
    for run in runs:
        result = run.result
        scored, printed = by_digest.get(result.network.digest), by_name.get(result.network.name)
        if not result.online.latency_s.median:  # a logarithmic axis has no 0
            continue
        if scored is not None and scored.integer.accuracy_pct is not None:
            percent = scored.integer.accuracy_pct
            origin, words = f"{scored.data.image_count:,} images of {scored.data.source}", _HERE
        elif printed is not None:
            percent, origin, words = printed.accuracy_pct, printed.source, "accuracy as published"
        else:
            continue
        weights = ["random weights"] if result.network.weights == "random" else []
        rows.append(
            {
                "series": ", ".join([result.protocol, result.link.name, *weights, words]),
                "made_by": result.protocol,
                "link": result.link.name,
                "hollow": words != _HERE,
                "network": result.network.name,
                "relus": f"{result.network.relu_count:,}",
                "weights": result.network.weights or "unknown",
                "online_s": rounded(result.online.latency_s.median),
                "accuracy_pct": rounded(percent),
                "accuracy_from": origin,
                "test_bed": f"{result.environment.cpu_model}, link {result.link.name}",
            }
        )
    return rows


def _spec(rows: Sequence[Encoding], colors: Mapping[str, str]) -> Encoding:
    x = logarithmic("online_s", "online latency", "s", [row["online_s"] for row in rows])
    y = quantity("accuracy_pct", "accuracy", "", zero=False)
    y["axis"]["labelExpr"] = "datum.label + ' %'"
    makers, links, names = (
        list(dict.fromkeys(row[field] for row in rows)) for field in ("made_by", "link", "series")
    )
    color = series("made_by", makers, [colors[name] for name in makers])
    shape = shapes("link", links)
    lines = []
    for name in names:
        own = [row for row in rows if row["series"] == name]
        if own[0]["hollow"] and own[0]["link"] != _PAPER:
            continue
        best = frontier([(row["online_s"], row["accuracy_pct"]) for row in own])
        values = [{"online_s": cost, "accuracy_pct": accuracy} for cost, accuracy in best]
        own_color = {"value": colors[own[0]["made_by"]]}
        lines.append(layer({"type": "line", "interpolate": "step-after"}, values, x=x, y=y, color=own_color))
    about = tooltip("network", "relus", "series", "weights", "accuracy_pct", "accuracy_from", "test_bed")
    marks = [
        layer(mark, chosen, x=x, y=y, color=color, shape=shape, tooltip=about)
        for mark, hollow in (("point", False), (_HOLLOW, True))
        if (chosen := [row for row in rows if row["hollow"] is hollow])
    ]
    return points([*lines, *marks])
