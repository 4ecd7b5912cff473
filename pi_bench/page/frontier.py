"""Accuracy over ReLUs and over the online latency, with the points that papers publish.

A network lies on the Pareto frontier if no other point of its plot costs at most as much and is at least as
accurate, and better in one of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.published import PublishedAccuracy, data_set_of, way_of_reading
from pi_bench.page.runs import LabeledRun
from pi_bench.page.specs import Encoding, layer, logarithmic, points, quantity, rounded, shapes, tooltip
from pi_bench.page.theme import ALARM, FAINT, SERIES
from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.quantities import seconds

_OURS = "measured here"
_TITLE = "Accuracy against ReLUs and latency"
_SHAPES_BEFORE_REPEATING = 5  # colors repeat after six, so pairs of color and shape after thirty
Published = Mapping[str, Sequence[PublishedAccuracy]]


def section(runs: Sequence[LabeledRun], accuracies: Sequence[Accuracy], published: Published) -> Section:
    """Returns two plots per data set, as far as there are accuracies.

    Args:
        published: the points of papers by data set.

    >>> section([], [], {}).missing[0][:60]
    'No accuracy is given: `pi-bench accuracy MODEL --json FILE` '
    """
    plots, tables, missing = [], [], []
    scored = [each for each in accuracies if each.integer.accuracy_pct is not None]
    if not scored:
        missing.append(
            "No accuracy is given: `pi-bench accuracy MODEL --json FILE` with labeled images writes one, and "
            "the page joins it with the latency of the same program."
        )
    if len(scored) < len(accuracies):
        missing.append(f"{len(accuracies) - len(scored)} results of accuracy are without labels.")
    for data in sorted({*published, *(_data_set(each, published) for each in scored)}):
        own = [each for each in scored if _data_set(each, published) == data]
        over_relus = _over_relus(data, own, published.get(data, ()))
        if over_relus.spec["layer"][1]["data"]["values"]:
            plots.append(over_relus)
        else:
            tables.append(over_relus.table)
            missing.append(f"No point{_on(data)} has a number of ReLUs, so the table alone is shown.")
        timed = [
            (each, run) for each in own for run in runs if run.result.network.digest == each.network.digest
        ]
        if timed:
            plots.append(_over_latency(data, timed))
        elif own:
            missing.append(
                f"No run of the networks with an accuracy{_on(data)} is given, so there is no plot over the "
                "latency."
            )
    words = (
        (
            "Published points are not comparable with measured ones in every respect: most were chosen on "
            "test images, and the table says where each was read. The line joins the points of the Pareto "
            "frontier.",
        )
        if plots
        else ()
    )
    return Section(
        "accuracy", _TITLE, words=words, plots=tuple(plots), tables=tuple(tables), missing=tuple(missing)
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


def _data_set(accuracy: Accuracy, published: Published) -> str:
    return data_set_of(f"{accuracy.network.name} {accuracy.data.source}", published)


def _on(data: str) -> str:
    return f" on {data}" if data else ""


def _percent(accuracy: Accuracy) -> float:
    assert accuracy.integer.accuracy_pct is not None, "results without labels are left out"
    return accuracy.integer.accuracy_pct


def _over_relus(data: str, own: Sequence[Accuracy], published: Sequence[PublishedAccuracy]) -> Plot:
    known = [point for point in published if point.relu_count is not None]
    rows: list[Encoding] = [
        {
            "method": point.method,
            "network": point.network or "unknown",
            "relus": point.relu_count,
            "accuracy_pct": point.accuracy_pct,
            "source": point.source,
        }
        for point in known
    ]
    rows += [
        {
            "method": _OURS,
            "network": each.network.name,
            "relus": each.network.relu_count,
            "accuracy_pct": rounded(_percent(each)),
            "source": f"{each.data.image_count:,} images of {each.data.source}",
        }
        for each in own
        if each.network.relu_count  # a logarithmic axis has no 0
    ]
    return Plot(
        name=f"accuracy-relus{'-' if data else ''}{data}",
        title=f"Accuracy against ReLUs{_on(data)}",
        words=f"{len(known)} published points and {len(rows) - len(known)} measured here.",
        spec=_spec(rows, "relus", logarithmic("relus", "ReLUs", "", [row["relus"] for row in rows])),
        table=PageTable(
            f"Accuracy and ReLUs{_on(data)}",
            ("method", "network", "ReLUs", "accuracy", "source", "read from", "note"),
            (
                *(
                    (
                        _OURS,
                        row["network"],
                        f"{row['relus']:,}",
                        f"{row['accuracy_pct']:.2f} %",
                        row["source"],
                        "-",
                        "-",
                    )
                    for row in rows[len(known) :]
                ),
                *(_published_row(point) for point in published),
            ),
        ),
    )


def _published_row(point: PublishedAccuracy) -> tuple[str, ...]:
    return (
        point.method,
        point.network or "-",
        f"{point.relu_count:,}" if point.relu_count is not None else "not published",
        f"{point.accuracy_pct:.2f} %",
        point.source,
        way_of_reading(point.mark),
        point.note or "-",
    )


def _over_latency(data: str, timed: Sequence[tuple[Accuracy, LabeledRun]]) -> Plot:
    rows: list[Encoding] = [
        {
            "method": f"{run.result.protocol}, {run.result.link.name}",
            "network": run.result.network.name,
            "online_s": rounded(run.result.online.latency_s.median),
            "online": seconds(run.result.online.latency_s.median),
            "accuracy_pct": rounded(_percent(each)),
        }
        for each, run in timed
    ]
    return Plot(
        name=f"accuracy-latency{'-' if data else ''}{data}",
        title=f"Accuracy against the online latency{_on(data)}",
        words=f"{len(rows)} runs whose program has a measured accuracy.",
        spec=_spec(
            rows,
            "online_s",
            logarithmic("online_s", "online latency", "s", [row["online_s"] for row in rows]),
        ),
        table=PageTable(
            f"Accuracy and online latency{_on(data)}",
            ("run", "ReLUs", "online", "accuracy"),
            tuple(
                (
                    run.label,
                    f"{run.result.network.relu_count:,}",
                    seconds(run.result.online.latency_s.median),
                    f"{_percent(each):.2f} %",
                )
                for each, run in timed
            ),
        ),
    )


def _spec(rows: Sequence[Encoding], cost: str, x: Encoding) -> Encoding:
    y = quantity("accuracy_pct", "accuracy", "", zero=False)
    y["axis"]["labelExpr"] = "datum.label + ' %'"
    best = frontier([(row[cost], row["accuracy_pct"]) for row in rows])
    line = [{cost: each, "accuracy_pct": accuracy} for each, accuracy in best]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    color = {
        "field": "method",
        "type": "nominal",
        "scale": {"domain": methods, "range": [_color(method, methods) for method in methods]},
    }
    shape = shapes("method", methods)
    shape["scale"]["range"] = [
        shape["scale"]["range"][number % _SHAPES_BEFORE_REPEATING] for number in range(len(methods))
    ]
    shape.pop("legend", None)
    shown = [
        name
        for name in ("method", "network", "relus", "online", "accuracy_pct", "source")
        if name in (rows or [{}])[0]
    ]
    return points(
        [
            layer({"type": "line", "interpolate": "step-after"}, line, x=x, y=y, color={"value": FAINT}),
            layer("point", rows, x=x, y=y, color=color, shape=shape, tooltip=tooltip(*shown)),
        ]
    )


def _color(method: str, methods: Sequence[str]) -> str:
    return ALARM if method == _OURS else SERIES[methods.index(method) % len(SERIES)]
