"""The page works by keyboard and by screen reader, as a real browser focuses it and describes it to them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.browser import BROWSER, Page
from tests.unit.page.conftest import ShownPage

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")
TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
ENTER = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
CONTROLS = "a[href], button, select, summary, [tabindex]"
FOCUSED = """(() => {
  const focused = document.activeElement, style = getComputedStyle(focused);
  const box = focused.getBoundingClientRect();
  return {
    place: [...document.querySelectorAll(CONTROLS)].indexOf(focused),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    in_view: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
})()""".replace("CONTROLS", repr(CONTROLS))
NAMED_ROLES = {
    *("link", "button", "combobox", "region", "navigation", "figure", "image", "table", "heading", "option"),
    *("columnheader", "rowheader"),
}


@pytest.fixture(scope="module")
def opened(several_shown: ShownPage) -> Iterator[Page]:
    """A page whose tables are all open, so that each of its controls can be reached."""
    tab, set_open = several_shown.tab, "for (const each of document.querySelectorAll('details')) each.open = "
    tab.run(f"{set_open} true")
    yield tab
    tab.run(f"{set_open} false")


@pytest.fixture(scope="module")
def described(opened: Page) -> list[dict[str, Any]]:
    """The nodes that a screen reader is told about: role, name and properties."""
    nodes = opened.ask("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": (node.get("name") or {}).get("value", ""),
            **{each["name"]: each["value"].get("value") for each in node.get("properties", ())},
        }
        for node in nodes
        if not node["ignored"]
    ]


def names_of(described: list[dict[str, Any]], role: str) -> list[str]:
    return [node["name"] for node in described if node["role"] == role]


def test_tab_reaches_every_control_in_order_and_shows_the_focus(opened: Page) -> None:
    count = opened.run(f"[...document.querySelectorAll({CONTROLS!r})].filter((e) => e.offsetParent).length")
    hidden = opened.run(
        f"[...document.querySelectorAll({CONTROLS!r})].flatMap((e, at) => e.offsetParent ? [] : [at])"
    )
    opened.run("document.activeElement.blur()")
    found = []
    while not found or found[-1]["place"] >= 0:
        assert len(found) <= count, "the focus does not leave the page"
        for kind in ("rawKeyDown", "keyUp"):
            opened.ask("Input.dispatchKeyEvent", {"type": kind, **TAB})
        found.append(opened.run(FOCUSED))
    reached = [each["place"] for each in found[:-1]]
    assert count > 20 and reached == sorted(set(range(count + len(hidden))) - set(hidden))
    assert all(each["outline"] >= 2 and each["in_view"] for each in found[:-1])


def test_everything_that_has_the_focus_or_a_role_has_a_name(described: list[dict[str, Any]]) -> None:
    assert {node["role"] for node in described} >= NAMED_ROLES
    for node in described:
        if node["role"] in NAMED_ROLES or (node.get("focusable") and node["role"] != "RootWebArea"):
            assert node["name"].strip(), node


def test_a_plot_is_one_image_with_words_and_its_table(opened: Page, described: list[dict[str, Any]]) -> None:
    """The marks of a plot, hundreds of them, are not read one by one."""
    count = opened.run("[...document.querySelectorAll('figure')].filter((each) => !each.hidden).length")
    images = names_of(described, "image")
    assert len(images) == len(names_of(described, "figure")) == count > 5
    assert all(re.fullmatch(r".+\. .+\. The table below has the data\.", name) for name in images)
    assert not [node for node in described if node["role"].startswith("graphics")]
    tables = opened.run(
        "[...document.querySelectorAll('figure')].filter((each) => !each.hidden)"
        ".map((each) => each.querySelectorAll('table').length)"
    )
    assert tables == [1] * count


def test_a_table_has_a_caption_and_headers_of_columns_and_rows(opened: Page) -> None:
    tables = opened.run(
        """[...document.querySelectorAll("table")].map((table) => ({
          caption: table.caption?.textContent.trim() ?? "",
          columns: [...table.tHead.rows[0].cells].map((cell) => cell.scope),
          rows: [...table.tBodies[0].rows].map((row) => row.cells[0].scope),
        }))"""
    )
    assert len(tables) > 5
    for table in tables:
        assert table["caption"]
        assert set(table["columns"]) == {"col"} and set(table["rows"]) == {"row"}


def test_headings_are_in_order(described: list[dict[str, Any]]) -> None:
    levels = [node["level"] for node in described if node["role"] == "heading"]
    assert levels[0] == 1 and levels.count(1) == 1 and len(levels) > 8
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


SORTED = """(() => {
  const table = document.querySelector("table.sortable"), headers = [...table.tHead.rows[0].cells];
  const column = headers.findIndex((each) => each.textContent === "online");
  return {
    sorted: headers.map((each) => each.ariaSort),
    column,
    values: [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.value)),
  };
})()"""


def test_the_table_of_runs_is_sorted_by_keyboard_and_says_so(opened: Page) -> None:
    before = opened.run(SORTED)
    assert set(before["sorted"]) == {"none"}
    opened.run(f"document.querySelectorAll('table.sortable thead button')[{before['column']}].focus()")
    for direction, reverse in (("ascending", False), ("descending", True)):
        for kind in ("rawKeyDown", "char", "keyUp"):
            opened.ask("Input.dispatchKeyEvent", {"type": kind, **ENTER})
        after = opened.run(SORTED)
        assert after["values"] == sorted(before["values"], reverse=reverse)
        assert after["sorted"].count("none") == len(after["sorted"]) - 1
        assert after["sorted"][before["column"]] == direction
    assert after["values"] != before["values"]
