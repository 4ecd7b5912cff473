"""Accuracy over ReLUs, with the points that papers publish. `accuracy_latency` has the plot over latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pi_bench.page import accuracy_latency
from pi_bench.page.accuracy_latency import frontier
from pi_bench.page.parts import PageTable, Plot, Section
from pi_bench.page.published import (
    TABLE,
    PublishedAccuracy,
    PublishedPoints,
    data_set_of,
    names_by_reading,
    way_of_reading,
)
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
from pi_bench.page.theme import FAINT, MEASURED, colors_by_name
from pi_bench.report.documents.accuracy import Accuracy

_OURS = "measured here"
_TITLE = "Accuracy against ReLUs and latency"
_SIZE = {"condition": {"test": f"datum.method === '{_OURS}'", "value": 180}, "value": 60}


def section(
    runs: Sequence[LabeledRun], accuracies: Sequence[Accuracy], published: PublishedPoints
) -> Section:
    """Returns two plots per data set, as far as there are accuracies.

    Args:
        published: the points of papers by data set.

    >>> section([], [], PublishedPoints()).missing[0][:60]
    'No accuracy is given. `pi-bench accuracy MODEL --json FILE` '
    """
    plots, tables, missing = [], [], []
    scored = [each for each in accuracies if each.integer.accuracy_pct is not None]
    if not scored:
        missing.append(
            "No accuracy is given. `pi-bench accuracy MODEL --json FILE` measures one on labeled images. "
            "Give FILE to `pi-bench report` together with the latencies, and the page joins both."
        )
    if len(scored) < len(accuracies):
        missing.append(f"{len(accuracies) - len(scored)} results of accuracy are without labels.")
    for data in sorted({*published.accuracies, *(_data_set(each, published) for each in scored)}):
        own = [each for each in scored if _data_set(each, published) == data]
        printed, rows = published.accuracies.get(data, ()), published.latencies.get(data, ())
        # The methods of the plot over the latency come first, so that their colors differ.
        timed = sorted(rows, key=lambda row: row.latency_s is None)
        protocols = colors_by_name(run.result.protocol for run in runs)
        methods = colors_by_name(
            [*(each.method for each in timed), *(each.method for each in printed)], protocols.values()
        )
        names = names_by_reading(
            [*((each.method, each.mark) for each in printed), *((each.method, TABLE) for each in rows)]
        )
        of_names = {name: methods[method] for (method, _), name in names.items()}
        colors = {**of_names, **protocols, _OURS: MEASURED}
        over_relus = _over_relus(data, own, printed, names, colors)
        if over_relus.spec["layer"][1]["data"]["values"]:
            plots.append(over_relus)
        else:
            tables.append(over_relus.table)
            missing.append(f"No point{_on(data)} has a number of ReLUs, so the table alone is shown.")
        over_latency = accuracy_latency.plot(data, runs, own, rows, names, colors)
        if over_latency is not None:
            plots.append(over_latency)
        else:
            missing.append(
                f"No run is given of a network with a measured or published accuracy{_on(data)}, so there is "
                "no plot over the latency."
            )
    words = (
        (
            "Published points are not comparable with measured ones in every respect: most were chosen on "
            "test images, and the table says where each was read. A method whose points come from several "
            "sources has one series for each. Lines join the points of Pareto frontiers.",
            *_test_bed_words(published),
        )
        if plots
        else ()
    )
    return Section(
        "accuracy", _TITLE, words=words, plots=tuple(plots), tables=tuple(tables), missing=tuple(missing)
    )


def _test_bed_words(published: PublishedPoints) -> list[str]:
    """Names the test beds of the published latencies, in the words of the tables."""
    beds: dict[str, list[str]] = {}
    for point in (each for found in published.latencies.values() for each in found if each.latency_s):
        sources = beds.setdefault(point.test_bed, [])
        if point.source not in sources:
            sources.append(point.source)
    return [f"Test bed of the latencies in {', '.join(sources)}: {bed}." for bed, sources in beds.items()]


def _data_set(accuracy: Accuracy, published: PublishedPoints) -> str:
    return data_set_of(f"{accuracy.network.name} {accuracy.data.source}", published.accuracies)


def _on(data: str) -> str:
    return f" on {data}" if data else ""


def _percent(accuracy: Accuracy) -> float:
    assert accuracy.integer.accuracy_pct is not None, "results without labels are left out"
    return accuracy.integer.accuracy_pct


def _over_relus(
    data: str,
    own: Sequence[Accuracy],
    published: Sequence[PublishedAccuracy],
    names: Mapping[tuple[str, str], str],
    colors: Mapping[str, str],
) -> Plot:
    known = [point for point in published if point.relu_count is not None]
    rows: list[Encoding] = [
        {
            "method": names[point.method, point.mark],
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
            "weights": each.network.weights,
        }
        for each in own
        if each.network.relu_count  # a logarithmic axis has no 0
    ]
    return Plot(
        name=f"accuracy-relus{'-' if data else ''}{data}",
        title=f"Accuracy against ReLUs{_on(data)}",
        words=f"{len(known)} published points and {len(rows) - len(known)} measured here.",
        spec=_spec(rows, colors),
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
                        "random weights" if row["weights"] == "random" else "-",
                    )
                    for row in rows[len(known) :]
                ),
                *(_published_row(point, names[point.method, point.mark]) for point in published),
            ),
        ),
    )


def _published_row(point: PublishedAccuracy, name: str) -> tuple[str, ...]:
    return (
        name,
        point.network or "-",
        f"{point.relu_count:,}" if point.relu_count is not None else "not published",
        f"{point.accuracy_pct:.2f} %",
        point.source,
        way_of_reading(point.mark),
        point.note or "-",
    )


def _spec(rows: Sequence[Encoding], colors: Mapping[str, str]) -> Encoding:
    x = logarithmic("relus", "ReLUs", "", [row["relus"] for row in rows])
    y = quantity("accuracy_pct", "accuracy", "", zero=False)
    y["axis"]["labelExpr"] = "datum.label + ' %'"
    best = frontier([(row["relus"], row["accuracy_pct"]) for row in rows])
    line = [{"relus": each, "accuracy_pct": accuracy} for each, accuracy in best]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    color = series("method", methods, [colors[method] for method in methods])
    shape = shapes("method", methods, [colors[method] for method in methods])
    shape.pop("legend", None)
    shown = ("method", "network", "relus", "accuracy_pct", "source")
    return points(
        [
            layer({"type": "line", "interpolate": "step-after"}, line, x=x, y=y, color={"value": FAINT}),
            layer("point", rows, x=x, y=y, color=color, shape=shape, size=_SIZE, tooltip=tooltip(*shown)),
        ]
    )
