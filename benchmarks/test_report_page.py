"""The page of `pi-bench report` over 50 runs: the time to write it, its size, and its first plot in Chromium.

The runs are stored ones with other names and settings, since the page needs only their figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.browser import BROWSER, Browser
from tests.unit.page.stored_runs import variant

RUN_COUNT = 50
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 50 results: five networks under five protocols on two links."""
    folder = tmp_path_factory.mktemp("results")
    settings = [
        (relu_count, protocol, link)
        for relu_count in (12_288, 28_672, 57_344, 229_376, 557_056)
        for protocol in ("delphi", "fss", "null", "null:fss", "ideal")
        for link in ("loopback", "lan")
    ]
    assert len(settings) == RUN_COUNT
    for number, (relu_count, protocol, link) in enumerate(settings):
        name = f"resnet18-cifar100-{relu_count}"
        fields = variant(
            name=name, protocol=protocol, link=link, relu_count=relu_count, factor=relu_count / 12_288
        )
        (folder / f"{number}.json").write_text(json.dumps(fields))
    return folder


def _write(results: Path, page: Path) -> None:
    command = [sys.executable, "-P", "-m", "pi_bench", "report", str(results), "-o", str(page)]
    subprocess.run(command, check=True, capture_output=True)


def test_writing(benchmark, target, results: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    benchmark.pedantic(_write, (results, page), rounds=3)
    target("report-write", benchmark.stats.stats.median)
    target("report-bytes", page.stat().st_size)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_first_plot(benchmark, target, results: Path, tmp_path: Path) -> None:
    """By the page's own clock, from when the browser begins to load it until the plot is painted.

    The start of Chromium is not counted. That of its process for the page is, about a quarter of a second.
    """
    page = tmp_path / "report.html"
    _write(results, page)
    found_s: list[float] = []

    def show() -> None:
        found_s.append(_first_plot_s(page, tmp_path / f"profile{len(found_s)}"))

    benchmark.pedantic(show, rounds=3)
    benchmark.extra_info["first_plot_s"] = found_s
    target("report-first-plot", sorted(found_s)[1])


def _first_plot_s(page: Path, profile: Path) -> float:
    with Browser(profile) as browser:
        shown = browser.value_of("document.documentElement.dataset.firstPlotMs", page.as_uri(), PATIENCE_S)
    return int(shown) / 1000
