"""One browser for all tests of a process: each opens pages in tabs of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from benchmarks.browser import BROWSER, Browser, Page
from pi_bench.page.parts import Plot
from tests.unit.page.stored_runs import scored, several
from tests.unit.page.tabs import page_and_plots, shown


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium, which takes longer to start than to show a page."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed, which shows the page")
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@dataclass(frozen=True)
class ShownPage:
    """A page of twelve runs in a tab that stays open, and what the browser made of it at first.

    Attributes:
        tab: 1280 CSS pixels wide; a test that changes it restores it.
        text: the file.
        html: the document once all plots were drawn.
        messages: those of the console.
    """

    tab: Page
    text: str
    plots: list[Plot]
    html: str
    messages: list[str]


@pytest.fixture(scope="session")
def several_shown(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> ShownPage:
    text, plots = page_and_plots(*several(), scored())
    tab, messages = shown(browser, text, tmp_path_factory.mktemp("page"))
    return ShownPage(tab, text, plots, tab.run("document.documentElement.outerHTML"), messages)
