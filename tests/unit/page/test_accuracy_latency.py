"""The plot of accuracy over latency tells its series apart, and says which of its figures a paper printed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pi_bench.page import sections_of
from pi_bench.page.figure_files import figure_files
from pi_bench.page.parts import Plot
from pi_bench.page.published import published_on
from tests.unit.page.stored_runs import inputs_of, latency_fields, scored, variant


def plot_of(*documents: dict[str, Any]) -> Plot:
    names = [each["network"]["name"] for each in documents]
    found = sections_of(inputs_of(*documents), published_on(names))
    return next(section for section in found if section.name == "accuracy").plots[1]


def lines_and_marks(plot: Plot) -> tuple[list[Any], list[Any]]:
    def is_line(layer: Any) -> bool:
        return isinstance(layer["mark"], dict) and layer["mark"]["type"] == "line"

    layers = plot.spec["layer"]
    return [each for each in layers if is_line(each)], [each for each in layers if not is_line(each)]


def test_a_run_without_an_accuracy_has_that_of_the_published_network_of_its_name() -> None:
    plot = plot_of(variant(name="resnet18-cifar100-229376"))
    first, *others = plot.spec["layer"][-1]["data"]["values"]
    assert (first["accuracy_pct"], first["accuracy_from"]) == (76.22, "DeepReDuce Table 4")
    assert first["series"] == "delphi, loopback, random weights, accuracy as published"
    assert first["online_s"] == pytest.approx(latency_fields()["online"]["latency_s"]["median"])
    assert plot.title.endswith(": latencies measured here, accuracies as published")
    printed = [row for row in others if row["network"] == "resnet18-cifar100-229376"]
    assert [row["online_s"] for row in printed] == [4.61] and "DELPHI" in printed[0]["test_bed"]
    assert len(plot.table.rows) == len(others) + 1 and len({row[2] for row in plot.table.rows}) > 1


def test_a_network_of_several_tables_has_one_accuracy_and_one_point() -> None:
    """Tables 4, 6 and the text of the paper print 28,672 ReLUs with 68.68, 68.7 and 68.68 percent."""
    plot = plot_of(variant(name="resnet18-cifar100-28672"))
    rows = [row for row in plot.table.rows if row[0] == "resnet18-cifar100-28672"]
    assert [(row[5], row[6]) for row in rows] == [("68.68 %", "DeepReDuce Table 4")] * 2
    points = published_on(["cifar100"]).latencies["cifar100"]
    assert len({(point.method, point.network) for point in points}) == len(points)


def test_no_frontier_joins_latencies_of_different_test_beds() -> None:
    lines, marks = lines_and_marks(plot_of(variant(), variant(link="lan", factor=3.0), scored()))
    drawn = [row for layer in marks for row in layer["data"]["values"]]
    of_series = {(row["online_s"], row["accuracy_pct"]): row["series"] for row in drawn}
    for line in lines:
        assert len({of_series[row["online_s"], row["accuracy_pct"]] for row in line["data"]["values"]}) == 1
    assert len(lines) == len(set(of_series.values())) >= 3


def test_no_frontier_joins_latencies_measured_here_with_published_accuracies() -> None:
    """A frontier would promise that a network, trained and run here, is as accurate as the paper's."""
    names = [f"resnet18-cifar100-{count}" for count in (28672, 229376)]
    mixed = [variant(name=name) for name in names]
    lines, marks = lines_and_marks(plot_of(*mixed))
    points = {
        (row["online_s"], row["accuracy_pct"]): row for layer in marks for row in layer["data"]["values"]
    }
    joined = [
        points[row["online_s"], row["accuracy_pct"]] for line in lines for row in line["data"]["values"]
    ]
    assert joined and {row["link"] for row in joined} == {"test bed of a paper"}
    assert sum(row["made_by"] == "delphi" for row in points.values()) == 2


def test_no_two_series_look_alike_and_each_line_has_the_color_of_its_series() -> None:
    settings = itertools.product(("delphi", "fss"), ("loopback", "lan", "wan"))
    documents = [
        variant(name="resnet18-cifar100-28672", protocol=protocol, link=link) for protocol, link in settings
    ]
    lines, (layer,) = lines_and_marks(plot_of(*documents))
    color, shape = (
        dict(zip(scale["domain"], scale["range"], strict=True))
        for scale in (layer["encoding"][name]["scale"] for name in ("color", "shape"))
    )
    looks = {row["series"]: (color[row["made_by"]], shape[row["link"]]) for row in layer["data"]["values"]}
    assert len(set(looks.values())) == len(looks) >= 9
    joined = [looks[name][0] for name in looks if "latency and accuracy as published" in name]
    assert [line["encoding"]["color"]["value"] for line in lines] == joined != []


def test_a_file_of_the_plot_says_whose_each_figure_is() -> None:
    """A file has neither the heading nor the words of the page."""
    plot = plot_of({**variant(), "cautions": [{"code": "load", "text": "busy", "phases": []}]})
    svg = next(content for name, content in figure_files(plot) if name.endswith(".svg")).decode()
    for words in (
        "Hollow: accuracies as published",
        "have random weights",
        "1 of the results that were measured",
    ):
        assert words in svg
    assert "DELPHI" not in {
        row["made_by"] for layer in plot.spec["layer"] for row in layer["data"]["values"] if "made_by" in row
    }
    assert plot_of(variant(), scored()).caption == ("The networks that were measured have random weights.",)


def test_marks_with_a_published_accuracy_are_hollow() -> None:
    plot = plot_of(variant(), scored())
    _, (measured, published) = lines_and_marks(plot)
    assert measured["mark"] == "point" and len(measured["data"]["values"]) == 1
    assert published["mark"]["filled"] is False
    assert {row["accuracy_from"].split()[0] for row in published["data"]["values"]} == {"DeepReDuce"}
    assert "published" not in plot.title


def test_random_weights_beside_published_accuracies_are_marked() -> None:
    random, trained = variant(), variant(link="lan")
    trained["network"]["weights"] = "given"
    plot = plot_of(random, trained)
    weights = {(row[2].split(", ")[1], row[3]) for row in plot.table.rows[:2]}
    assert weights == {("loopback", "random"), ("lan", "given")}
    assert {row[3] for row in plot.table.rows[2:]} == {"of the paper"}
    assert "1 of the 2 runs have random weights" in plot.words
    random["network"]["weights"] = "given"
    assert "random" not in str(plot_of(random, trained))


def test_published_rows_have_their_relus_and_the_section_names_their_test_bed() -> None:
    document = variant()
    found = sections_of(inputs_of(document), published_on([document["network"]["name"]]))
    section = next(section for section in found if section.name == "accuracy")
    rows = [row for row in section.plots[1].table.rows if row[3] == "of the paper"]
    relus = {row[0]: row[1] for row in rows}
    assert relus["resnet18-cifar100-229376"] == "229,376" and relus["ResNet"] == "not published"
    assert any(
        text.startswith("Test bed of the latencies in DeepReDuce Table 4") and "DELPHI" in text
        for text in section.words
    )
