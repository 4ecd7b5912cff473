"""Counts the marks of plots: those that a specification asks for, and those that a page drew."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

DRAWN_AS = {"bar": "rect", "tick": "rect", "point": "symbol", "rule": "rule", "line": "line"}
"""The kind of mark in the drawing for each kind in a specification."""
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}


def expected_marks(spec: dict[str, Any]) -> Counter[str]:
    """One mark per row. A line takes all its rows."""
    found: Counter[str] = Counter()
    for layer in spec["layer"]:
        mark = layer["mark"]
        kind = mark if isinstance(mark, str) else mark["type"]
        found[DRAWN_AS[kind]] += 1 if kind == "line" else len(layer["data"]["values"])
    return found


class DrawnMarks(HTMLParser):
    """Reads the marks of each figure of a page, as a browser dumps it."""

    def __init__(self, dumped: str) -> None:
        super().__init__()
        self.figures: dict[str, Counter[str]] = {}
        self.ids: set[str] = set()
        self.scripts = 0
        self._open: list[tuple[str, str]] = []
        self._figure = ""
        self.feed(dumped)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.scripts += tag == "script"
        self.ids.add(given.get("id") or "")
        if tag == "figure":
            self._figure = given.get("id") or ""
            self.figures[self._figure] = Counter()
        group = re.match(r"mark-(\w+) role-mark\b", given.get("class") or "")
        parent = self._open[-1][1] if self._open else ""
        if parent and self._figure:
            self.figures[self._figure][parent] += 1
        if tag not in VOID:
            self._open.append((tag, group[1] if group and group[1] != "group" else ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            if self._open.pop()[0] == tag:
                break
        if tag == "figure":
            self._figure = ""
