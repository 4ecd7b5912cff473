"""Pages of runs, and tabs of a browser that show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.browser import Browser, Page
from pi_bench.page import sections_of
from pi_bench.page.document import html_page
from pi_bench.page.figure_files import plots_of
from pi_bench.page.parts import Plot
from pi_bench.page.published import published_on
from tests.unit.page.stored_runs import inputs_of

PATIENCE_S = 60.0
DRAWN = "document.documentElement.dataset.drawn ?? null"
LOADED = "document.URL.startsWith('file') && document.readyState === 'complete' || null"
SCREEN = {"height": 900, "deviceScaleFactor": 1}
SIZE = "Emulation.setDeviceMetricsOverride"


def page_and_plots(*documents: dict[str, Any]) -> tuple[str, list[Plot]]:
    names = [document["network"]["name"] for document in documents]
    sections = sections_of(inputs_of(*documents), published_on(names))
    return html_page("page", sections, documents), plots_of(sections)


def shown(
    browser: Browser, page: str, folder: Path, address: str = "", width: int = 1280, ready: str = DRAWN
) -> tuple[Page, list[str]]:
    """Shows a page in a tab until a script's expression is not null; returns the messages of its console."""
    path = folder / "page.html"
    path.write_text(page)
    tab = browser.opened("about:blank")
    tab.ask(SIZE, {"width": width, "mobile": width < 500, **SCREEN})
    messages = tab.show(f"{path.as_uri()}{address}")
    tab.value(ready, PATIENCE_S)
    return tab, messages
