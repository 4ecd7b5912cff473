"""A reader chooses the run of a plot by its settings, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import BROWSER, Browser, Page
from tests.unit.page.marks import DrawnMarks, expected_marks
from tests.unit.page.stored_runs import several, variant
from tests.unit.page.tabs import PATIENCE_S, page_and_plots, shown

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the page")
DOWN = {"key": "ArrowDown", "code": "ArrowDown", "windowsVirtualKeyCode": 40}
STATE = """(() => {
  const lists = [...document.querySelectorAll("#layers .chooser select")];
  const shown = [...document.querySelectorAll("#layers figure:not([hidden])")];
  return {
    chosen: lists.map((list) => list.selectedOptions[0].text),
    shown: shown.map((figure) => figure.id),
    drawn: shown.every((figure) => figure.querySelector(".drawing svg") !== null),
    said: document.querySelector("#layers .chooser output")?.textContent ?? null,
  };
})()"""


def runs_with_a_gap() -> list[dict[str, Any]]:
    """Twelve runs of `several` without the two last ones, of the largest network under fss."""
    return several()[:-2]


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, dict[str, Any], str]:
    """The page at an address with the name of a plot: its tab, and its state and HTML at first."""
    text, _ = page_and_plots(*runs_with_a_gap())
    tab, messages = shown(browser, text, tmp_path_factory.mktemp("page"), "#layers-8")
    assert messages == []
    return tab, tab.run(STATE), tab.run("document.documentElement.outerHTML")


@pytest.fixture
def page(opened: tuple[Page, dict[str, Any], str]) -> Page:
    return opened[0]


def choose(page: Page, setting: str, value: str) -> dict[str, Any]:
    """Chooses a value as a reader does; returns what the page shows then."""
    page.run(
        f"""(async () => {{
          const label = [...document.querySelectorAll("#layers .chooser label")]
            .find((each) => each.firstChild.textContent.trim() === {setting!r});
          const list = label.querySelector("select");
          list.selectedIndex = [...list.options].findIndex((option) => option.text === {value!r});
          list.dispatchEvent(new Event("change"));
        }})()"""
    )
    page.value(f"({STATE}).drawn || null", PATIENCE_S)
    state: dict[str, Any] = page.run(STATE)
    return state


def test_each_setting_has_a_list_and_together_they_choose_the_run(page: Page) -> None:
    documents = runs_with_a_gap()
    choose(page, "network", "…12288")
    for number, document in enumerate(documents, start=1):
        settings = {
            "link": document["link"].get("name", "loopback"),
            "protocol": document["protocol"],
            "network": f"…{document['network']['relu_count']}",
        }
        for setting, value in settings.items():
            state = choose(page, setting, value)
        assert state["chosen"] == [settings[name] for name in ("network", "protocol", "link")]
        assert state["shown"] == [f"layers-{number}"] and state["said"] == ""
        assert page.run("location.hash") == f"#layers-{number}"


def test_a_combination_without_a_run_leads_to_the_nearest_one_and_says_so(page: Page) -> None:
    for setting, value in (("network", "…57344"), ("protocol", "fss"), ("link", "lan")):
        choose(page, setting, value)
    state = choose(page, "network", "…229376")
    assert state["chosen"] == ["…229376", "delphi", "lan"] and state["shown"] == ["layers-10"]
    assert state["said"] == "No run has all of these settings. The nearest run is shown."
    state = choose(page, "protocol", "fss")
    assert state["chosen"] == ["…12288", "fss", "lan"] and state["shown"] == ["layers-4"] and state["said"]
    assert choose(page, "link", "loopback")["said"] == ""


def test_the_lists_follow_the_keyboard_and_have_names_in_a_group(page: Page) -> None:
    for setting, value in (("network", "…12288"), ("protocol", "delphi"), ("link", "loopback")):
        choose(page, setting, value)
    page.run("document.querySelectorAll('#layers .chooser select')[1].focus()")
    for kind in ("rawKeyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", {"type": kind, **DOWN})
    assert page.run(STATE)["chosen"] == ["…12288", "fss", "loopback"]
    assert page.run(STATE)["shown"] == ["layers-3"]
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    named = [(node["role"]["value"], node["name"]["value"]) for node in nodes if not node["ignored"]]
    assert ("group", "Run") in named
    lists = [re.sub(r"\W*$", "", name) for role, name in named if role == "combobox"]
    assert lists == ["network", "protocol", "link"]


def test_an_address_sets_the_lists(opened: tuple[Page, dict[str, Any], str]) -> None:
    page, at_first, html = opened
    assert at_first == {
        **{"chosen": ["…57344", "fss", "lan"], "shown": ["layers-8"]},
        **{"drawn": True, "said": ""},
    }
    (plot,) = (plot for plot in page_and_plots(*runs_with_a_gap())[1] if plot.name == "layers-8")
    assert DrawnMarks(html).figures["layers-8"] == expected_marks(plot.spec)
    page.run("location.hash = '#layers-3'")
    expected = {"chosen": ["…12288", "fss", "loopback"], "shown": ["layers-3"], "said": ""}
    page.value(f"({STATE}).shown[0] === 'layers-3' || null", PATIENCE_S)
    assert {name: page.run(STATE)[name] for name in expected} == expected


def test_runs_that_settings_do_not_tell_apart_stand_in_one_list(browser: Browser, tmp_path: Path) -> None:
    documents = [variant(), variant(protocol="fss", link="lan"), variant(protocol="fss", link="lan")]
    labels = [" · delphi · loopback", " · fss · lan · run2", " · fss · lan · run3"]
    page, _ = shown(browser, page_and_plots(*documents)[0], tmp_path, "#layers-2")
    name = "resnet18-cifar100-12288"
    options = page.run("[...document.querySelectorAll('#layers .chooser option')].map((each) => each.text)")
    assert [re.sub(r" · [⚠†]", "", option) for option in options] == [f"{name}{label}" for label in labels]
    assert page.run(STATE)["shown"] == ["layers-2"]
    assert page.run("document.querySelectorAll('#layers .chooser select').length") == 1
    page.run(
        """(() => {
          const list = document.querySelector("#layers .chooser select");
          list.selectedIndex = 0;
          list.dispatchEvent(new Event("change"));
        })()"""
    )
    assert page.run(STATE)["shown"] == ["layers-1"]
