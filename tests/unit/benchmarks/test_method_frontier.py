"""The comparison of methods: measured once, kept, and drawn."""

import csv
import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from benchmarks import method_frontier, method_rows
from benchmarks.method_rows import on_some_frontier
from pi_bench.models.reduction.candidate import Candidate
from pi_bench.models.reduction.pareto_table import TABLE_FILE, write_table
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph, InputNode, LinearNode, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate


def not_again(*arguments: object) -> None:
    raise AssertionError("a row that is there is measured again")


def small_graph(width: int) -> Graph:
    generator = np.random.default_rng(1)
    nodes = (
        InputNode("input", (), (8,)),
        LinearNode("first", ("input",), (width,), "first.weight", None),
        ReluNode("relu", ("first",), (width,)),
        LinearNode("last", ("relu",), (4,), "last.weight", None),
        OutputNode("output", ("last",), (4,)),
    )
    shapes = {"first.weight": (width, 8), "last.weight": (4, width)}
    parameters = {name: generator.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    graph = Graph(nodes, parameters, {})
    return dataclasses.replace(graph, ranges=calibrate(graph, generator.normal(size=(64, 8))))


@pytest.fixture
def searches(tmp_path: Path) -> list[Path]:
    """Two searches of networks with 8 inputs and 4 classes that share a baseline; one training diverged."""
    for name, width in (("a/teacher", 32), ("b/networks/1", 8)):
        (tmp_path / name).mkdir(parents=True)
        save_model(small_graph(width), tmp_path / name / "model.pt")
    tables = {
        "a": [
            Candidate("full", "baseline", "", 32, test_accuracy_pct=90.0, folder="teacher"),
            Candidate("lost", "snl", "pixel-4", 4, failure="training diverged", folder="networks/2"),
        ],
        "b": [
            Candidate("full", "baseline", "", 32, test_accuracy_pct=90.0, folder="../a/teacher"),
            Candidate("least", "senet", "pixel-8", 8, test_accuracy_pct=80.0, folder="networks/1"),
        ],
    }
    for name, candidates in tables.items():
        write_table(tmp_path / name / TABLE_FILE, candidates)
    return [tmp_path / name for name in tables]


def test_every_network_is_measured_once_and_drawn(
    tmp_path: Path,
    searches: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("matplotlib")
    images = np.random.default_rng(2).normal(size=(20, 8)).clip(-2, 2).astype(np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(20) % 4)
    out = tmp_path / "out"
    command = [
        str(out),
        *map(str, searches),
        "--data",
        str(tmp_path / "data.npz"),
        "--links",
        "loopback",
        "lan",
        "--least-accuracies",
        "85",
        "70",
    ]
    method_frontier.main([*command, "--runs", "1", "--limit", "10", "--private-sample", "1"])
    printed = capsys.readouterr().out
    fastest, table, agreement = (part.splitlines() for part in printed.strip().split("\n\n"))
    lines = table
    assert [line.split("|")[1].strip() for line in fastest[2:]] == ["85 %", "70 %"]
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["a: baseline", "b: pixel-8"]
    assert all(" %) | " in line and " of 1 |" in line for line in lines[2:4])  # all are on a frontier
    assert len([line for line in agreement if " time on " in line and "2 networks" in line]) == 4
    with open(out / "networks.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["link"]) for row in rows][:2] == [
        ("a: baseline", "loopback"),
        ("a: baseline", "lan"),
    ]
    assert all(
        float(row["total_s"]) == pytest.approx(float(row["online_s"]) + float(row["offline_s"]))
        for row in rows
    )
    assert all("few-runs" in row["cautions"].split() for row in rows)  # one run
    predicted = {
        row["link"]: float(row["predicted_online_s"]) for row in rows if row["network"] == "a: baseline"
    }
    assert predicted["lan"] > predicted["loopback"]
    figure = ET.parse(out / "frontiers.svg").getroot()
    assert (
        sum(element.get("id", "").startswith("axes_") for element in figure.iter()) == 6
    )  # 5 plots, 1 empty

    monkeypatch.setattr(method_rows, "pi_bench", not_again)
    method_frontier.main([*command, "--runs", "0", "--limit", "10", "--private-sample", "1"])
    assert capsys.readouterr().out == printed


def test_the_frontiers_are_over_relus_and_over_each_time() -> None:
    def row(name: str, accuracy: float, relus: int, online: float, total: float, link: str = "lan") -> dict:
        return {
            **{"network": name, "test_accuracy_pct": accuracy, "relu_count": relus, "link": link},
            **{"online_s": online, "total_s": total},
        }

    rows = [
        row("fewest", 80.0, 10, 3.0, 9.0),
        row("fastest", 80.0, 20, 1.0, 8.0),
        row("total", 80.0, 30, 2.0, 5.0),
        row("none", 80.0, 30, 3.0, 9.0),
        row("on wan alone", 80.0, 40, 4.0, 10.0),
        row("on wan alone", 80.0, 40, 0.5, 4.0, "wan"),
    ]
    assert on_some_frontier(rows) == {"fewest", "fastest", "total", "on wan alone"}


def test_the_correlation_is_of_ranks() -> None:
    rows = [
        {
            "link": "lan", "predicted_online_s": predicted, "online_s": measured,
            "predicted_total_s": predicted, "total_s": 1 / measured,
        }
        for predicted, measured in ((1.0, 1.0), (2.0, 10.0), (3.0, 12.0), (4.0, 1000.0))
    ]  # fmt: skip
    assert method_frontier.agreement(rows) == [
        "online time on lan, 4 networks: rank correlation 1.000, measured is 1.00 to 250.00 times predicted",
        "total time on lan, 4 networks: rank correlation -1.000, measured is 0.00 to 1.00 times predicted",
    ]


def test_the_fastest_network_above_each_accuracy_is_listed() -> None:
    rows = [
        {"network": name, "link": "wan", "test_accuracy_pct": accuracy, "online_s": online, "total_s": total}
        for name, accuracy, online, total in (
            ("a", 92.0, 0.8, 2.0),
            ("b", 90.0, 0.5, 1.0),
            ("c", 85.0, 0.6, 0.9),
        )
    ]
    assert method_frontier.fastest(rows, (93, 92, 85))[2:] == [
        "| 93 % | - | - |",
        "| 92 % | a 800.0 ms | a 2,000.0 ms |",
        "| 85 % | b 500.0 ms | c 900.0 ms |",
    ]


def test_nothing_measured_is_an_error(tmp_path: Path, searches: list[Path]) -> None:
    command = [str(tmp_path / "out"), str(searches[0]), "--data", "digits", "--runs", "0"]
    with pytest.raises(SystemExit, match="has no times of these networks: measure them with --runs 5"):
        method_frontier.main(command)


def test_the_network_from_which_searches_started_is_one_of_them(tmp_path: Path) -> None:
    recipe = {"name": "resnet10", "relu_count": 38912}
    (tmp_path / "result.json").write_text(json.dumps({"recipe": recipe, "test_accuracy_pct": 92.67}))
    ((name, network),) = method_rows.baseline_of(tmp_path).items()
    assert name == f"{tmp_path.name}: baseline" and network.method == "baseline"
    assert (network.relu_count, network.test_accuracy_pct) == (38912, 92.67)
    assert network.folder == str(tmp_path)


def test_two_searches_of_one_name_are_refused(
    tmp_path: Path, searches: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Their networks would have the same names in the table."""
    with pytest.raises(SystemExit):
        method_frontier.main([str(tmp_path / "out"), *map(str, [searches[0]] * 2), "--data", "digits"])
    assert "two searches have folders of one name; rename one of them" in capsys.readouterr().err
