"""Labels and words above plots say what tells runs apart, and nothing that stands there already."""

from __future__ import annotations

from typing import Any

import pytest

from pi_bench.page import sections_of
from pi_bench.page.parts import Section
from pi_bench.report.quantities import seconds, times_text
from tests.unit.page.stored_runs import inputs_of, latency_fields, several, variant


def sections(*documents: dict[str, Any]) -> dict[str, Section]:
    return {section.name: section for section in sections_of(inputs_of(*documents))}


def selectors(*documents: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return sections(*documents)["layers"].selectors


def test_every_setting_in_which_runs_differ_is_a_list_of_its_values() -> None:
    documents = [variant(protocol=protocol, link=link) for protocol in "ab" for link in ("lan", "wan")]
    assert selectors(*documents) == [("protocol", ["a", "b"]), ("link", ["lan", "wan"])]
    documents[0]["mode"], documents[1]["environment"]["threads"] = "exact", 2
    for document in documents[:3]:
        document["options"] = {"he_plan": "bytes" if document is documents[0] else "compute"}
    documents[3]["options"] = {}
    found = sections(*documents)["layers"]
    assert dict(found.selectors) == {
        "protocol": ["a", "b"],
        "link": ["lan", "wan"],
        "mode": ["exact", "windowed"],
        "threads": ["1 thread", "2 threads"],
        "he plan": ["bytes", "compute", "-"],
    }
    assert [found.places(plot) for plot in found.plots] == [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1],
        [1, 0, 1, 0, 1],
        [1, 1, 1, 0, 2],
    ]


def test_one_setting_or_two_runs_alike_have_no_lists_of_settings() -> None:
    documents = [variant(protocol="a"), variant(protocol="b", link="lan")]
    assert len(selectors(*documents)) == 2
    assert selectors(*documents, documents[0]) == selectors(variant(), variant(protocol="fss")) == []
    assert selectors(variant()) == selectors() == []


@pytest.mark.slow
def test_plots_of_one_link_name_it_in_their_title_alone() -> None:
    found = sections(*several())
    for name in ("phases", "floors", "predictions"):
        for plot in found[name].plots:
            assert plot.title.rpartition(", ")[2] in ("loopback", "lan")
            labels = {row[0] for row in plot.table.rows}
            assert len(labels) == 6 and "…12288 · fss" in {
                label.removesuffix(" · ⚠").removesuffix(" · †") for label in labels
            }
            assert not any("lan" in label or "loopback" in label for label in (*labels, plot.words))
    titles = [table.title for table in found["headline"].tables]
    assert ["link loopback" in titles[0], "link lan" in titles[1]] == [True, True]


@pytest.mark.slow
def test_the_page_says_what_the_ellipsis_stands_for() -> None:
    words = "The names of all networks begin with resnet18-cifar100-, and … stands for it."
    assert words in sections(*several())["headline"].words
    assert not any("…" in each for each in sections(variant())["headline"].words)


def test_the_slowest_layer_says_how_much_of_it_is_waiting() -> None:
    document = latency_fields()
    for number, layer in enumerate(document["online"]["layers"]):
        layer["client"].update(compute_s=0.001, send_s=0.0, wait_s=0.003 if number == 4 else 0.0)
        layer["server"].update(compute_s=0.003, send_s=0.0, wait_s=0.0)
    (plot,) = sections(document)["layers"].plots
    assert (
        f"{seconds(0.004)}," in plot.words and f"of which {seconds(0.003)} (75 %) are waiting" in plot.words
    )
    assert f"and waits for {seconds(0.003)}" in plot.words


def test_the_floor_says_which_bandwidth_of_an_emulated_link_it_takes() -> None:
    asked = "bandwidth and the round trip that were asked for, not the probed ones"
    assert any(asked in each for each in sections(variant(link="wan"))["floors"].words)
    assert not any(asked in each for each in sections(variant())["floors"].words)


def test_times_near_the_floor_have_a_second_decimal() -> None:
    assert [times_text(each) for each in (1.0, 1.004, 1.099, 1.1, 1.26)] == [
        "1.00",
        "1.00",
        "1.10",
        "1.1",
        "1.3",
    ]


@pytest.mark.slow
def test_latencies_over_relus_and_over_the_prediction_stand_on_logarithmic_axes() -> None:
    """On linear axes the points of the fastest link would lie on one another."""
    over_relus, over_prediction = sections(*several())["growth"].plots
    for plot in (over_relus, over_prediction):
        points = plot.spec["layer"][-1]["encoding"]
        assert [points[axis]["scale"]["type"] for axis in "xy"] == ["log", "log"]
    line, points = over_prediction.spec["layer"]
    domain = points["encoding"]["x"]["scale"]["domain"]
    assert points["encoding"]["y"]["scale"]["domain"] == domain
    assert [tuple(row.values()) for row in line["data"]["values"]] == [(end, end) for end in domain]
