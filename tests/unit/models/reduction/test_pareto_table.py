"""pareto.csv: written rows are read again, and a foreign file is refused."""

import csv
import dataclasses

import pytest

pytest.importorskip("torch")

from pi_bench.errors import ModelError
from pi_bench.models.reduction.candidate import Candidate, with_frontiers
from pi_bench.models.reduction.pareto_table import TABLE_FILE, read_table, write_table

CANDIDATES = [
    Candidate("full", "baseline", "", 2000, 97.5, 96.0, folder="teacher"),
    Candidate(
        "half",
        "deepreduce",
        "1-cull",
        1000,
        97.5,
        95.0,
        0.25,
        0.24,
        0.26,
        12345,
        1.5,
        "fss, lan, mode exact",
        ("load", "few-runs"),
        folder="networks/1-cull",
    ),
    Candidate(
        "none", "deepreduce", "1-thin", 500, failure="training diverged, in epoch 1", folder="n/1-thin"
    ),
    Candidate("zero", "snl", "budget 0", 0, 20.0, None, 0.125, 0.125, 0.125, 99, 0.5, folder="z"),
]


def test_networks_come_back(tmp_path):
    found = with_frontiers(CANDIDATES)
    write_table(tmp_path / TABLE_FILE, found)
    assert read_table(tmp_path / TABLE_FILE, tmp_path) == found
    elsewhere = read_table(tmp_path / TABLE_FILE, tmp_path / "other")
    assert [one.folder for one in elsewhere] == [f"../{one.folder}" for one in found]


def test_most_relus_first_and_frontiers_marked():
    found = with_frontiers(reversed(CANDIDATES))
    assert [one.name for one in found] == ["full", "half", "none", "zero"]
    assert [one.relu_frontier for one in found] == [False, True, False, True]
    assert [one.latency_frontier for one in found] == [False, True, False, True]


def test_accuracy_per_kilorelu_is_that_of_the_papers_tables(tmp_path):
    published = [(229_376, 76.22, 0.332), (28_672, 68.68, 2.40), (7_168, 62.30, 8.69)]
    for relus, accuracy, printed in published:
        one = dataclasses.replace(CANDIDATES[0], relu_count=relus, test_accuracy_pct=accuracy)
        assert one.accuracy_per_kilorelu == pytest.approx(printed, abs=0.006)
    write_table(tmp_path / TABLE_FILE, CANDIDATES)
    with open(tmp_path / TABLE_FILE, newline="") as file:
        column = [row["accuracy_per_kilorelu"] for row in csv.DictReader(file)]
    assert column == ["48.75", "97.5", "", ""]


@pytest.mark.parametrize(
    "text",
    ["", "name,method\nx,y\n", "\x00", "not a table"],
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / TABLE_FILE
    path.write_text(text)
    with pytest.raises(ModelError, match=r"pareto\.csv is no table of `pi-bench reduce`"):
        read_table(path, tmp_path)


def test_figures_that_are_none(tmp_path):
    path = tmp_path / TABLE_FILE
    write_table(path, CANDIDATES)
    path.write_text(path.read_text().replace("12345", "many"))
    with pytest.raises(ModelError, match="is no table of `pi-bench reduce`"):
        read_table(path, tmp_path)
    with pytest.raises(ModelError, match="cannot read"):
        read_table(tmp_path / "gone.csv", tmp_path)
