"""A real browser shows the page: every plot with its marks, no error, nothing loaded."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pi_bench.page import sections_of
from pi_bench.page.document import html_page
from pi_bench.page.figure_files import plots_of
from pi_bench.page.parts import Plot
from pi_bench.page.published import published_on
from tests.unit.page.marks import DrawnMarks, expected_marks
from tests.unit.page.stored_runs import HOSTILE, inputs_of, scored, several, variant

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")
PATIENCE_MS = 20_000


def shown(page: str, folder: Path, address: str = "") -> tuple[DrawnMarks, str, list[str]]:
    """Holds a page as the browser shows it: its marks, its HTML, and the messages of its console."""
    path = folder / "page.html"
    path.write_text(page)
    done = subprocess.run(
        [
            *(str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder / 'profile'}", f"--virtual-time-budget={PATIENCE_MS}"),
            *("--enable-logging=stderr", "--dump-dom", f"{path.as_uri()}{address}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return DrawnMarks(done.stdout), done.stdout, re.findall(r"CONSOLE.*", done.stderr)


def page_and_plots(*documents: dict[str, Any]) -> tuple[str, list[Plot]]:
    names = [document["network"]["name"] for document in documents]
    sections = sections_of(inputs_of(*documents), published_on(names))
    return html_page("page", sections, documents), plots_of(sections)


def test_every_plot_is_drawn_with_one_mark_per_row_and_without_an_error(tmp_path: Path) -> None:
    page, plots = page_and_plots(*several(), scored())
    drawn, html, messages = shown(page, tmp_path)
    assert messages == []
    assert 'data-drawn="' in html and 'data-first-plot-ms="' in html
    waiting = {plot.name for plot in plots if plot.choice} - {"layers-1"}
    assert {name: dict(found) for name, found in drawn.figures.items()} == {
        plot.name: {} if plot.name in waiting else dict(expected_marks(plot.spec)) for plot in plots
    }
    assert sum(expected_marks(plots[0].spec).values()) == 18  # a bar, an interval and a floor per run


def test_an_address_with_the_name_of_a_plot_chooses_it(tmp_path: Path) -> None:
    page, plots = page_and_plots(*several())
    drawn, html, messages = shown(page, tmp_path, "#layers-3")
    (plot,) = (plot for plot in plots if plot.name == "layers-3")
    assert messages == [] and drawn.figures["layers-3"] == expected_marks(plot.spec)
    assert re.search(r'<figure id="layers-1"[^>]* hidden=""', html)
    assert not re.search(r'<figure id="layers-3"[^>]* hidden=""', html)


def test_the_first_plot_needs_no_script_and_not_the_rest_of_the_page(tmp_path: Path) -> None:
    page, plots = page_and_plots(*several())
    expected = {plots[0].name: expected_marks(plots[0].spec)}
    begin = page[: page.index(f'<figure id="{plots[1].name}"')]
    assert DrawnMarks(begin).figures == expected
    assert shown(begin, tmp_path)[0].figures == expected


def test_the_first_plot_is_drawn_again_for_the_width_of_the_window(tmp_path: Path) -> None:
    page, plots = page_and_plots(*several())
    end = page.index("</head>")
    narrowed = f"{page[:end]}<style>.drawing {{ max-width: 333px }}</style>{page[end:]}"
    _, html, _ = shown(narrowed, tmp_path)
    widths = [
        int(re.search(rf'<figure id="{plots[0].name}".*?<svg[^>]* width="(\d+)"', each, re.DOTALL)[1])
        for each in (page, html)
    ]
    assert widths == [580, 333]


def test_hostile_names_run_nothing_and_are_drawn(tmp_path: Path) -> None:
    document = variant(name=HOSTILE, protocol=HOSTILE, link=HOSTILE)
    document["online"]["layers"][0]["name"] = HOSTILE
    page, plots = page_and_plots(document, variant())
    drawn, html, messages = shown(page, tmp_path)
    assert messages == []
    assert not re.search(r"<img", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))
    assert drawn.scripts == 6
    assert drawn.figures["layers-1"] == expected_marks(
        next(plot for plot in plots if plot.name == "layers-1").spec
    )


def test_a_script_that_is_not_of_the_page_is_refused(tmp_path: Path) -> None:
    page, _ = page_and_plots(variant())
    added = page.replace("<main>", "<main><script>document.title = 'taken';</script>")
    _, html, messages = shown(added, tmp_path)
    assert "<title>taken" not in html
    assert any("Content Security Policy" in message for message in messages)
