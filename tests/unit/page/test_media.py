"""The page is short on paper, and its tables keep the names of their rows on a phone, in a real browser."""

from __future__ import annotations

import base64
import re

import pytest

from benchmarks.browser import BROWSER, Page
from tests.unit.page.conftest import ShownPage
from tests.unit.page.tabs import SCREEN, SIZE

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")


@pytest.fixture(scope="module")
def opened(several_shown: ShownPage) -> Page:
    return several_shown.tab


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
    opened.ask(SIZE, {"width": 390, "mobile": True, **SCREEN})
    moved = opened.run(
        """(() => {
          const box = document.querySelector("#headline .scroll"), row = box.querySelector("tbody tr");
          box.scrollLeft = 200;
          const from = box.getBoundingClientRect().left;
          const left = (cell) => Math.round(cell.getBoundingClientRect().left - from);
          return { by: box.scrollLeft, first: left(row.cells[0]), second: left(row.cells[1]) };
        })()"""
    )
    opened.ask(SIZE, {"width": 1280, "mobile": False, **SCREEN})
    assert moved["by"] == 200 and moved["first"] == 0 and moved["second"] < 0


@pytest.mark.slow
def test_every_section_leads_back_to_the_top(opened: Page) -> None:
    ends = opened.run(
        "[...document.querySelectorAll('main > section:not(#data)')].map((e) => e.lastElementChild.innerText)"
    )
    assert len(ends) > 8 and set(ends) == {"Back to the top"}
    assert opened.run("document.querySelector('.top a').hash === '#' + document.querySelector('h1').id")
