"""The figure of `method_frontier`: accuracy over ReLUs, and over the measured times on each link."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.resumable import Row
from pi_bench.atomic_file import whole_file
from pi_bench.models.reduction.frontier import on_frontier

_MARKERS = "osD^vP*X<>hdp8"


def write_figure(path: Path, rows: Sequence[Row]) -> None:
    """Writes an SVG: one plot over ReLUs, and one each over online and total time on each link of the rows.

    A network on the frontier of a plot has a filled mark.
    """
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    links = list(dict.fromkeys(row["link"] for row in rows))
    colors = {
        method: f"C{index}" for index, method in enumerate(dict.fromkeys(row["method"] for row in rows))
    }
    plots = [("relu_count", 1.0, links[0], "ReLUs")]
    for name, field in (("online", "online_s"), ("total", "total_s")):
        plots += [(field, 1e3, link, f"{name} time on {link}, ms") for link in links]
    with matplotlib.rc_context({"svg.hashsalt": "method_frontier", "font.size": 8}):
        figure, axes = pyplot.subplots(
            -(-len(plots) // 3),
            3,
            figsize=(11, 3.2 * -(-len(plots) // 3)),
            layout="constrained",
            squeeze=False,
        )
        for place, (field, unit, link, label) in zip(axes.flat, plots, strict=False):
            own = [row for row in rows if row["link"] == link]
            _draw(place, own, [unit * row[field] for row in own], colors)
            place.set_xlabel(label)
        for place in axes.flat[len(plots) :]:
            place.set_axis_off()
        for place in axes[:, 0]:
            place.set_ylabel("test accuracy, %")
        handles, names = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 9))
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    with whole_file(path) as file:
        file.write(content.getvalue())


def _draw(place: Any, rows: Sequence[Row], costs: Sequence[float], colors: dict[str, str]) -> None:
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    accuracies = [row["test_accuracy_pct"] for row in rows]
    best = on_frontier(costs, accuracies)
    points = list(zip(costs, accuracies, best, strict=True))
    line = sorted((cost, accuracy) for cost, accuracy, is_best in points if is_best)
    place.plot(*zip(*line, strict=True), color="0.6", drawstyle="steps-post", zorder=1)
    for index, (method, color) in enumerate(colors.items()):
        own = [point for point, row in zip(points, rows, strict=True) if row["method"] == method]
        place.scatter(
            [cost for cost, _, _ in own],
            [accuracy for _, accuracy, _ in own],
            marker=_MARKERS[index % len(_MARKERS)],
            edgecolors=color,
            facecolors=[color if is_best else "none" for _, _, is_best in own],
            label=method,
            zorder=2,
        )
    place.set_xscale("log")
    wide = max(costs) > 50 * min(costs)
    place.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    place.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    place.xaxis.set_minor_locator(NullLocator())
    place.grid(alpha=0.3)
