"""No cell of a table is printed over its neighbor, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.browser import BROWSER, Browser
from pi_bench.page import sections_of
from pi_bench.page.document import html_page
from tests.unit.page.stored_runs import inputs_of, several

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")

_WIDER_THAN_THEIR_CELL = """
document.documentElement.dataset.drawn === undefined ? null :
[...document.querySelectorAll("details")].map((each) => (each.open = true)) &&
[...document.querySelectorAll("th, td")].filter((cell) => cell.scrollWidth > cell.clientWidth + 1)
  .map((cell) => cell.textContent.slice(0, 40)).join(" | ")
"""


def test_long_texts_wrap_within_their_cells(tmp_path: Path) -> None:
    documents = several()
    for number, document in enumerate(documents):
        document["warnings"] = [f"{'a warning that says what to do about it, ' * 8}in run {number % 2}"]
    page = tmp_path / "page.html"
    page.write_text(html_page("page", sections_of(inputs_of(*documents)), documents))
    with Browser(tmp_path / "profile") as browser:
        assert browser.value_of(_WIDER_THAN_THEIR_CELL, page.as_uri(), 60) == ""


_HALF_WIDTH_TABLES = """
document.documentElement.dataset.drawn === undefined ? null :
[...document.querySelectorAll("details")].map((each) => (each.open = true)) &&
[...document.querySelectorAll("figure:not([hidden])")]
  .filter((figure) => figure.clientWidth < figure.parentElement.clientWidth - 1)
  .map((figure) => figure.id).join(" ")
"""


def test_an_opened_table_has_the_width_of_its_section(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    html = html_page("page", sections_of(inputs_of(*several())), several())
    small = "<style>html { font-size: 8px }</style></head>"  # two columns fit into the window of the browser
    page.write_text(html.replace("</head>", small, 1))
    with Browser(tmp_path / "profile") as browser:
        assert browser.value_of(_HALF_WIDTH_TABLES, page.as_uri(), 60) == ""
