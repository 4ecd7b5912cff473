"""The screens of the main commands, written from stored results of real runs.

`python -m tests.unit.report.screens` writes them again into tests/vectors/screens. Read the difference before
you commit it: this test is how a change of a screen is reviewed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import msgspec

from pi_bench.cli.recipes import list_table
from pi_bench.history import RunFacts, StoredRun
from pi_bench.report.accuracy_text import render_accuracy
from pi_bench.report.columns import Shown
from pi_bench.report.comparison import render_comparison
from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.documents.comparison import ComparisonResult
from pi_bench.report.documents.inspection import Inspection
from pi_bench.report.documents.latency import Result
from pi_bench.report.documents.micro import Micro
from pi_bench.report.history import render_list
from pi_bench.report.inspection import render_inspection
from pi_bench.report.micro import render_micro
from pi_bench.report.published_table import published_table
from pi_bench.report.result_table import result_row, result_table
from pi_bench.report.table_formats import write_table
from pi_bench.report.terminal import render_result
from pi_bench.report.text_width import wrapped

FOLDER = Path(__file__).parents[2] / "vectors" / "screens"
WIDTHS = (80, 100)

T = TypeVar("T")


def stored(name: str, kind: type[T]) -> T:
    """A result that a command wrote with --json on a real machine."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=kind)


def latency() -> str:
    return render_result(stored("latency", Result), [])


def latency_all() -> str:
    return render_result(stored("latency", Result), [], Shown("all", ("+operator", "to-server", "rounds")))


def inspect() -> str:
    return render_inspection(stored("inspection", Inspection))


def accuracy() -> str:
    return render_accuracy(stored("accuracy", Accuracy))


def micro() -> str:
    return render_micro(stored("micro", Micro))


def compare() -> str:
    return render_comparison(stored("comparison", ComparisonResult))


def history() -> str:
    facts: dict[str, Any] = {"network": "resnet18-cifar100-12288", "commit_id": "99e78d81c906"}
    latency = {"kind": "latency", "online_bytes": 2_121_000, **facts}
    runs = [
        StoredRun(14, (), RunFacts(
            "comparison", "2026-11-29T18:02:44+00:00", "delphi / fss", commit_id="99e78d81c906",
        )),
        StoredRun(12, ("release-1",), RunFacts(
            **latency, time="2026-11-29T17:21:09+00:00", digest="1c417890fa367db0", protocol="delphi",
            link="loopback", online_s=0.00542, offline_s=0.121, verified=True, input_count=40,
        )),
        StoredRun(9, (), RunFacts(
            **latency, time="2026-11-28T09:05:00+00:00", digest="77aa12c0ffee0001", protocol="fss",
            link="wan", online_s=0.914, offline_s=1.73, verified=False, online_floor_s=0.000713,
        )),
        StoredRun(8, (), RunFacts(
            "accuracy", "2026-11-28T08:55:00+00:00", **facts, digest="77aa12c0ffee0001", protocol="delphi",
        )),
    ]  # fmt: skip
    return render_list(runs, found=4)


def export_list() -> str:
    models = import_module("pi_bench.models")
    names = ("resnet18-cifar100-12288", "resnet18-cifar100-557056")
    return list_table([models.load_recipe(name).summary() for name in names])


def _rows() -> list[dict[str, Any]]:
    """Rows of the stored result, under another protocol and over another link too."""
    row = result_row(stored("latency", Result))
    return [row, {**row, "protocol": "fss", "online_s": 0.00321}, {**row, "link": "wan", "cautions": "load"}]


def sweep() -> str:
    return write_table(result_table(_rows(), "Sweep figures", ["3 of 4 cells are measured."]), "text")


def table() -> str:
    published = import_module("pi_bench.models.published.tables").load_table("deepreduce-4")
    recipes = [row.built() for row in published.networks]
    names = [recipe.name for recipe in recipes]
    counts = {recipe.name: recipe.relu_count for recipe in recipes}
    measured = [{**row, "name": row["network"]} for row in _rows()[1:]]
    return write_table(published_table(published, names, measured, counts, {}), "text")


SCREENS: dict[str, Callable[[], str]] = {
    "latency": latency,
    "latency-all": latency_all,
    "inspect": inspect,
    "accuracy": accuracy,
    "micro": micro,
    "compare": compare,
    "history": history,
    "export-list": export_list,
    "sweep": sweep,
    "table": table,
}


def screen(name: str, width: int) -> str:
    """The text that a command prints on a terminal of this width."""
    with patch.dict(os.environ, {"COLUMNS": str(width)}):
        return wrapped(SCREENS[name]()) + "\n"


if __name__ == "__main__":
    for each in SCREENS:
        for columns in WIDTHS:
            (FOLDER / f"{each}-{columns}.txt").write_text(screen(each, columns))
