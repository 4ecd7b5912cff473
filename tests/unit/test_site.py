"""The site (docs/site): its navigation is complete, and its check of links finds what is wrong."""

from __future__ import annotations

import doctest
from collections import Counter
from pathlib import Path

import pytest

from docs.site import docstrings, links, pages


def test_the_navigation_names_every_page_once() -> None:
    """A page without an entry is added in docs/site/pages.py."""
    named = Counter(page for section in pages.CONTENTS.values() for page in section)
    documents = [path.stem for path in (pages.ROOT / "docs").glob("*.md")]
    texts = [page.removesuffix(".md") for page in pages.TOP_TEXTS.values() if page != "index.md"]
    functions = [f"api/{path.stem}" for path in (pages.ROOT / "docs" / "site" / "api").glob("*.rst")]
    assert named == Counter([*documents, *texts, *functions])


@pytest.mark.parametrize("module", [docstrings, links, pages])
def test_examples_of_the_site_run(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried > 0 and failed == 0


def test_a_link_to_a_missing_place_and_a_foreign_font_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#there">b</a> <a href="b.html#gone">b</a>')
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1> <a href="https://example.org">elsewhere</a>')
    (tmp_path / "style.css").write_text("@font-face { src: url(https://example.org/font.woff2) }")
    assert links.faults(tmp_path) == [
        "a.html: no such place: b.html#gone",
        "style.css: loads https://example.org/font.woff2",
    ]
    assert links.external_links(tmp_path) == ["https://example.org"]


def test_sources_of_all_pages_are_copied_with_the_links_of_the_site(tmp_path: Path) -> None:
    pages.copy_sources(tmp_path / "source")
    index = (tmp_path / "source" / "index.md").read_text()
    assert "(docs/" not in index and "(threat-model.md)" in index and "(changelog.md)" in index
    assert "(index.md#measure-a-network)" in (tmp_path / "source" / "reading-a-result.md").read_text()
