"""The page is short on paper, and its tables keep the names of their rows on a phone, in a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest

from benchmarks.browser import BROWSER, Browser, Page
from tests.unit.page.stored_runs import several
from tests.unit.page.test_browser import page_and_plots

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")
PATIENCE_S = 60.0
SCREEN = {"height": 900, "deviceScaleFactor": 1}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    text, _ = page_and_plots(*several())
    (folder / "page.html").write_text(text)
    with Browser(folder / "profile") as browser:
        page = browser.opened((folder / "page.html").as_uri())
        page.ask("Emulation.setDeviceMetricsOverride", {"width": 1280, "mobile": False, **SCREEN})
        page.value("document.documentElement.dataset.drawn ?? null", PATIENCE_S)
        yield page


@pytest.mark.slow
def test_paper_has_the_chosen_run_and_the_tables_that_are_open(opened: Page) -> None:
    def pages() -> int:
        printed = base64.b64decode(opened.ask("Page.printToPDF")["data"])
        return len(re.findall(rb"/Type\s*/Page\b", printed))

    closed = pages()
    opened.run("for (const details of document.querySelectorAll('details')) details.open = true")
    assert 5 < closed < pages()
    opened.run("for (const details of document.querySelectorAll('details')) details.open = false")
    opened.ask("Emulation.setEmulatedMedia", {"media": "print"})
    shown = opened.run(
        "[...document.querySelectorAll('.choice')].filter((e) => e.offsetParent).map((e) => e.id)"
    )
    below = opened.run(
        "[...document.querySelectorAll('details, nav, .top')].filter((e) => e.offsetParent).length"
    )
    opened.ask("Emulation.setEmulatedMedia", {"media": "screen"})
    assert shown == ["layers-1"] and below == 0


def test_the_first_column_of_a_table_stays_in_view_on_a_phone(opened: Page) -> None:
    opened.ask("Emulation.setDeviceMetricsOverride", {"width": 390, "mobile": True, **SCREEN})
    moved = opened.run(
        """(() => {
          const box = document.querySelector("#headline .scroll"), row = box.querySelector("tbody tr");
          box.scrollLeft = 200;
          const from = box.getBoundingClientRect().left;
          const left = (cell) => Math.round(cell.getBoundingClientRect().left - from);
          return { by: box.scrollLeft, first: left(row.cells[0]), second: left(row.cells[1]) };
        })()"""
    )
    assert moved["by"] == 200 and moved["first"] == 0 and moved["second"] < 0


@pytest.mark.slow
def test_every_section_leads_back_to_the_top(opened: Page) -> None:
    ends = opened.run(
        "[...document.querySelectorAll('main > section:not(#data)')].map((e) => e.lastElementChild.innerText)"
    )
    assert len(ends) > 8 and set(ends) == {"Back to the top"}
    assert opened.run("document.querySelector('.top a').hash === '#' + document.querySelector('h1').id")
