"""A real browser shows the page: every plot with its marks, no error, nothing loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.browser import BROWSER, Browser
from tests.unit.page.conftest import ShownPage
from tests.unit.page.marks import DrawnMarks, expected_marks
from tests.unit.page.stored_runs import HOSTILE, several, variant
from tests.unit.page.tabs import LOADED, page_and_plots, shown

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")
HTML = "document.documentElement.outerHTML"


def test_every_plot_is_drawn_with_one_mark_per_row_and_without_an_error(several_shown: ShownPage) -> None:
    plots, html = several_shown.plots, several_shown.html
    assert several_shown.messages == []
    assert 'data-drawn="' in html and 'data-first-plot-ms="' in html
    waiting = {plot.name for plot in plots if plot.choice} - {"layers-1"}
    assert {name: dict(found) for name, found in DrawnMarks(html).figures.items()} == {
        plot.name: {} if plot.name in waiting else dict(expected_marks(plot.spec)) for plot in plots
    }
    assert sum(expected_marks(plots[0].spec).values()) == 18  # a bar, an interval and a floor per run


def test_the_first_plot_needs_no_script_and_not_the_rest_of_the_page(
    browser: Browser, several_shown: ShownPage, tmp_path: Path
) -> None:
    page, plots = several_shown.text, several_shown.plots
    expected = {plots[0].name: expected_marks(plots[0].spec)}
    begin = page[: page.index(f'<figure id="{plots[1].name}"')]
    assert DrawnMarks(begin).figures == expected
    tab, _ = shown(browser, begin, tmp_path, ready=LOADED)
    assert DrawnMarks(tab.run(HTML)).figures == expected
    tab.close()


@pytest.fixture(scope="module")
def altered(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, list[str]]:
    """A page with narrower plots and a script that is not of the page: its text, HTML and messages."""
    page, _ = page_and_plots(variant())
    page = page.replace("</head>", "<style>.drawing { max-width: 333px }</style></head>", 1)
    page = page.replace("<main>", "<main><script>document.title = 'taken';</script>", 1)
    tab, messages = shown(browser, page, tmp_path_factory.mktemp("altered"))
    html = tab.run(HTML)
    tab.close()
    return page, html, messages


def test_the_first_plot_is_drawn_again_for_the_width_of_the_window(
    altered: tuple[str, str, list[str]],
) -> None:
    page, html, _ = altered
    widths = [
        int(re.search(r'<figure id="[^"]*".*?<svg[^>]* width="(\d+)"', each, re.DOTALL)[1])
        for each in (page, html)
    ]
    assert widths == [580, 333]


def test_a_script_that_is_not_of_the_page_is_refused(altered: tuple[str, str, list[str]]) -> None:
    _, html, messages = altered
    assert "<title>taken" not in html
    assert any("Content Security Policy" in message for message in messages)


def test_hostile_names_run_nothing_and_are_drawn(browser: Browser, tmp_path: Path) -> None:
    document = variant(name=HOSTILE, protocol=HOSTILE, link=HOSTILE)
    document["online"]["layers"][0]["name"] = HOSTILE
    page, plots = page_and_plots(document, variant())
    tab, messages = shown(browser, page, tmp_path)
    html = tab.run(HTML)
    tab.close()
    drawn = DrawnMarks(html)
    assert messages == []
    assert not re.search(r"<img", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))
    assert drawn.scripts == 6
    assert drawn.figures["layers-1"] == expected_marks(
        next(plot for plot in plots if plot.name == "layers-1").spec
    )


OPEN_TABLES = "[...document.querySelectorAll('details')].map((each) => (each.open = {}))"
WIDER_THAN_THEIR_CELL = """
[...document.querySelectorAll("th, td")].filter((cell) => cell.scrollWidth > cell.clientWidth + 1)
  .map((cell) => cell.textContent.slice(0, 40)).join(" | ")
"""


def test_long_texts_wrap_within_their_cells(browser: Browser, tmp_path: Path) -> None:
    documents = several()
    for number, document in enumerate(documents):
        document["warnings"] = [f"{'a warning that says what to do about it, ' * 8}in run {number % 2}"]
    tab, _ = shown(browser, page_and_plots(*documents)[0], tmp_path, width=800)
    tab.run(OPEN_TABLES.format("true"))
    assert tab.run(WIDER_THAN_THEIR_CELL) == ""
    tab.close()


HALF_WIDTH_TABLES = """
[...document.querySelectorAll("figure:not([hidden])")]
  .filter((figure) => figure.clientWidth < figure.parentElement.clientWidth - 1)
  .map((figure) => figure.id).join(" ")
"""


def test_an_opened_table_has_the_width_of_its_section(several_shown: ShownPage) -> None:
    tab, set_font = several_shown.tab, "document.documentElement.style.fontSize = {!r}"
    tab.run(set_font.format("8px"))  # two columns fit into the window of the browser
    assert len(tab.run(HALF_WIDTH_TABLES).split()) > 5
    tab.run(OPEN_TABLES.format("true"))
    assert tab.run(HALF_WIDTH_TABLES) == ""
    tab.run(OPEN_TABLES.format("false"))
    tab.run(set_font.format(""))
