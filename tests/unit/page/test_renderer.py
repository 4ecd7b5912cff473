"""The library that draws is made once, and kept in the user's cache where that can be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import vl_convert

from pi_bench.page.renderer import javascript


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The snippets of which a library was made; making a real one takes more than a second."""
    snippets: list[str] = []
    monkeypatch.setattr(
        vl_convert, "javascript_bundle", lambda snippet: snippets.append(snippet) or f"/* µ */ {snippet}"
    )
    javascript.cache_clear()
    yield snippets
    javascript.cache_clear()


def test_a_later_process_reads_the_kept_library(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = javascript()
    javascript.cache_clear()  # as in a new process
    assert javascript() == first and len(made) == 1
    assert [path.read_text(encoding="utf-8") for path in (tmp_path / "pi-bench").iterdir()] == [first]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_cache_that_cannot_be_used_is_none(
    content: bytes, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in place of the folder, and a library that is no text."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "folder"))
    if content:
        javascript()
        (kept,) = (tmp_path / "folder" / "pi-bench").iterdir()
        kept.write_bytes(content)
    else:
        (tmp_path / "folder").write_bytes(b"")
    javascript.cache_clear()
    made.clear()
    assert javascript().endswith(made[0])
