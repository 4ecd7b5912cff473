"""Plots leave half of their width to their marks, and tell their rows apart, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import pi_bench.page
from benchmarks.browser import BROWSER, Browser, Page
from tests.unit.page.stored_runs import several
from tests.unit.page.tabs import page_and_plots, shown

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")
PLOTS = """[...document.querySelectorAll("figure:not([hidden])")].map((figure) => {
  const box = figure.querySelector(".drawing");
  const frame = box.querySelector("svg .role-frame > g > path.background").getBoundingClientRect();
  const axis = [...box.querySelectorAll("svg .role-axis-label")].at(-1);
  return {
    name: figure.id,
    part: frame.width / box.clientWidth,
    rows: [...axis.querySelectorAll("text")].map((text) => text.textContent),
  };
})"""
SCRIPT = Path(pi_bench.page.__file__).parent / "template" / "labels.js"
DEEP = "features.denseblock{}.denselayer12.conv1"


def deep_documents() -> list[dict[str, Any]]:
    """Runs whose labels are long, with layers that differ in the middle of their names alone."""
    documents = several()
    for number, document in enumerate(documents):
        document["network"]["name"] = f"{'network' if number % 2 else 'another'}-of-a-long-name-for-cifar100"
        layers = document["online"]["layers"]
        for block, layer in enumerate(layers[1:5], start=1):
            layer["name"] = DEEP.format(block)
    return documents


def layer_names() -> list[str]:
    return [layer["name"] for layer in deep_documents()[0]["online"]["layers"]]


@pytest.fixture(scope="module")
def narrow(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, dict[str, Any]]:
    """The page on the narrowest phone, and its plots by name."""
    tab, _ = shown(browser, page_and_plots(*deep_documents())[0], tmp_path_factory.mktemp("page"), width=320)
    return tab, {plot["name"]: plot for plot in tab.run(PLOTS)}


def test_marks_have_half_of_the_width_of_a_phone(narrow: tuple[Page, dict[str, Any]]) -> None:
    _, plots = narrow
    assert len(plots) > 8
    for plot in plots.values():
        assert plot["part"] >= 0.5, plot["name"]


def test_short_names_of_rows_differ_and_keep_what_the_width_allows(
    narrow: tuple[Page, dict[str, Any]],
) -> None:
    page, plots = narrow
    names, rows = layer_names(), plots["layers-1"]["rows"]
    assert len(set(rows)) == len(rows) == len(names)
    for name, row in zip(names, rows, strict=True):
        assert len(row) <= 24 and row.count("…") <= 2
        begin, end = re.split("….*…|…", row) if "…" in row else (name, "")
        assert name.startswith(begin) and name.endswith(end)
    assert rows[0] == names[0] and all("…" in row for row in rows[1:5])
    labels = plots["online-1"]["rows"]
    assert len(set(labels)) == len(labels) == 6 and all("…" in label for label in labels)
    table = page.run("[...document.querySelectorAll('#layers-1 tbody th')].map((cell) => cell.textContent)")
    assert table == names


@pytest.mark.slow
def test_a_wide_window_shows_names_in_full(browser: Browser, tmp_path: Path) -> None:
    tab, _ = shown(browser, page_and_plots(deep_documents()[0])[0], tmp_path, width=1300)
    (plot,) = (plot for plot in tab.run(PLOTS) if plot["name"].startswith("layers"))
    tab.close()
    assert plot["rows"] == layer_names()


def test_what_the_parts_of_a_name_share_is_left_out_first(browser: Browser) -> None:
    """A width of one pixel per letter makes the rule plain."""
    page, script = browser.opened("about:blank"), SCRIPT.read_text()

    def short(limit: int, *names: str) -> Any:
        called = f"shortNames({json.dumps(names)}, {limit}, (text) => text.length)"
        return page.run(f"(() => {{ {script} return {called}; }})()")

    assert short(40, "stages.1.0.conv2 + stages.1.0.shortcut.conv") == ["stages.1.0.conv2 + …shortcut.conv"]
    assert short(40, "conv2 + a.long.name.without.the.beginning") == [
        "conv2 + a.long.name.…thout.the.beginning"
    ]
    assert short(6, "net-one-1000", "net-one-20") == ["…1000", "…20"]
    assert short(13, "net.conv1", "net.conv2 + net.add") == ["…conv1", "…conv2 + …add"]
    assert short(9, "net.conv1", "net.conv2") == ["net.conv1", "net.conv2"]
    assert short(7, "abcdefghij", "abcde", "abcxxxxhij") == ["abc…hij", "abcde", "ab…xhij"]
    assert short(1, "ab\U0001f600cd") == ["…"]
