"""The figure of a search: accuracy over ReLUs, predicted time and private latency, with the frontiers."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pi_bench.errors import EnvironmentUnsupportedError

from ..published import PublishedPoint
from ..training.training_files import write_whole
from .candidate import Candidate, measured_settings

PLOT_FILE = "pareto.svg"

_MARKERS = {"baseline": "s", "deepreduce": "o", "snl": "^"}
_OTHER_MARKERS = "Dv<>P*"
_PUBLISHED_MARKERS = "x+1234|_"  # none of a measured network, and none that can be filled


def require_matplotlib() -> None:
    """Checks that matplotlib is installed, so that a missing one is named before a long search.

    Raises:
        EnvironmentUnsupportedError: It is not installed.

    >>> require_matplotlib()
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise EnvironmentUnsupportedError(
            'the figure needs matplotlib, which is not installed: pip install "pi-bench[train]", or --no-plot'
        ) from None


def write_plot(
    path: Path,
    candidates: Sequence[Candidate],
    title: str,
    published: Sequence[PublishedPoint] = (),
    objective: str = "relus",
) -> None:
    """Writes the figure as an SVG that depends on the arguments alone.

    Args:
        published: points of papers, drawn over ReLUs behind the candidates. They are on no frontier.
        objective: as in `candidate.with_frontiers`. With "total", the measured time is that of both phases.

    Raises:
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name, "pareto.svg")
    ...     write_plot(path, [Candidate("a", "snl", "", 100, test_accuracy_pct=80.0)], "SNL")
    ...     "<svg" in path.read_text()
    True
    """
    import matplotlib
    from matplotlib.figure import Figure

    phases = "offline + online" if objective == "total" else "online"
    both = any(one.predicted_for.startswith("total,") for one in candidates)
    predicted = "offline + online" if both else "online"
    parts: list[tuple[Callable[[Candidate], float | None], str, float, str]] = [
        (lambda one: one.relu_count, "relu_frontier", 1, "ReLUs"),
        (lambda one: one.predicted_s, "predicted_frontier", 1000, f"predicted {predicted} time, ms"),
        (lambda one: one.measured_s(objective), "latency_frontier", 1000, f"private {phases} latency, ms"),
    ]
    if len(measured_settings(candidates)) > 1:  # their times do not compare
        del parts[-1]
    parts = [part for part in parts if any(part[0](one) is not None for one in candidates)]
    with matplotlib.rc_context({"svg.hashsalt": "pi-bench", "svg.fonttype": "path"}):
        figure = Figure(figsize=(5.5 * len(parts), 4.2), layout="constrained")
        axes = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
        for axis, part in zip(axes, parts, strict=True):
            _draw(axis, candidates, *part)
        axes[0].set_ylabel("test accuracy, %")
        if published:
            _draw_published(axes[0], published)
            figure.legend(
                *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small"
            )
        else:
            axes[0].legend(loc="lower right", fontsize="small")
        figure.suptitle(title, fontsize="medium")
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    write_whole(path, content.getbuffer())


def _draw(
    axes: Any,
    candidates: Sequence[Candidate],
    cost: Callable[[Candidate], float | None],
    flag: str,
    factor: float,
    label: str,
) -> None:
    """Draws one frontier: its members are filled, other networks are hollow, and a line joins the members."""
    shown = [
        (x * factor, one.test_accuracy_pct, getattr(one, flag), one.method)
        for one in candidates
        if (x := cost(one)) and one.test_accuracy_pct is not None
    ]
    line = sorted((x, y) for x, y, best, _ in shown if best)
    axes.plot(*zip(*line, strict=True), color="0.6", drawstyle="steps-post", zorder=1) if line else None
    others = iter(_OTHER_MARKERS * len(shown))
    for index, method in enumerate(dict.fromkeys(method for *_, method in shown)):
        marker, color = _MARKERS.get(method) or next(others), f"C{index}"
        for best in (True, False):
            points = [(x, y) for x, y, is_best, whose in shown if whose == method and is_best == best]
            if points:
                axes.scatter(
                    *zip(*points, strict=True),
                    marker=marker,
                    edgecolors=color,
                    facecolors=color if best else "none",
                    label=f"{method}{', on the frontier' if best else ''}",
                    zorder=2,
                )
    axes.set_xscale("log")
    axes.set_xlabel(label)
    axes.grid(alpha=0.3)


def _draw_published(axes: Any, points: Sequence[PublishedPoint]) -> None:
    """Draws the points of each method with a marker of its own, and names the marks of their sources."""
    known = [point for point in points if point.relu_count is not None]
    for index, method in enumerate(dict.fromkeys(point.method for point in known)):
        own = [point for point in known if point.method == method]
        marks = "".join(f"[{mark}]" for mark in dict.fromkeys(point.mark for point in own))
        axes.scatter(
            [point.relu_count for point in own],
            [point.accuracy_pct for point in own],
            marker=_PUBLISHED_MARKERS[index % len(_PUBLISHED_MARKERS)],
            color=f"C{index}",
            alpha=0.6,
            label=f"{method}, published {marks}",
            zorder=1.5,
        )
