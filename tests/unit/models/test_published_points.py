"""The accuracies that papers publish: every file is valid, and they never mix with measured ones."""

import pytest

from pi_bench.cli import main
from pi_bench.errors import ModelError, UsageError
from pi_bench.models.published import MARKS, parse_points, published_points
from pi_bench.models.reduction.candidate import Candidate
from pi_bench.models.reduction.pareto_table import read_table, write_table

HEADER = "method,network,relu_count,accuracy_pct,mark,source,note"
NAMES = ("cifar10", "cifar100", "imagenet", "tinyimagenet")


def test_the_points_are_those_of_the_literature():
    points = {name: published_points(name) for name in NAMES}
    assert {name: len(found) for name, found in points.items()} == {
        "cifar10": 13,
        "cifar100": 56,
        "imagenet": 2,
        "tinyimagenet": 19,
    }
    best = max(points["cifar100"], key=lambda point: point.accuracy_pct)
    assert (best.method, best.relu_count, best.accuracy_pct, best.mark) == ("SNL", 248_400, 77.7, "2")
    at_86k = {point.mark: point.accuracy_pct for point in points["cifar100"] if point.relu_count == 86_000}
    assert at_86k == {"2": 66, "T": 68.1}  # two sources disagree


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("SNL,ResNet18,15000,67.17,2,plots", "line 2: 7 values are needed"),
        ("SNL,ResNet18,15000,67.17,2,plots,,x", "line 2: 7 values are needed"),
        ("SNL,ResNet18,15000,67.17,X,plots,", "mark is 'X', allowed: T, A, C, 2, M"),
        ("SNL,ResNet18,15000,nan,2,plots,", "accuracy_pct is 'nan', 0 to 100 is needed"),
        ("SNL,ResNet18,15000,670,2,plots,", "accuracy_pct is '670'"),
        ("SNL,ResNet18,15K,67.17,2,plots,", "relu_count is '15K', a whole number above 0"),
        ("SNL,ResNet18,0,67.17,2,plots,", "relu_count is '0'"),
        (",ResNet18,15000,67.17,2,plots,", "method is empty"),
        ("SNL,ResNet18,15000,67.17,2,,", "source is empty"),
        ("SNL,,9,60,2,plots,\nSNL,,9,61,2,plots,", "the point SNL at 9 ReLUs is listed twice"),
    ],
)
def test_a_wrong_file_is_named(row, message):
    with pytest.raises(ModelError, match=message):
        parse_points(f"{HEADER}\n{row}\n", "mine.csv")


def test_other_columns_are_refused():
    with pytest.raises(ModelError, match=r"mine\.csv: the columns must be method, network"):
        parse_points("method,accuracy\nSNL,60\n", "mine.csv")
    with pytest.raises(UsageError, match="published accuracies on 'digits'; there are cifar10, cifar100"):
        published_points("digits")


@pytest.mark.slow
def test_published_points_are_in_the_figure_alone(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    measured = Candidate("ours", "snl", "pixel", 1_000_000, test_accuracy_pct=10.0)
    for name in ("searched", "plain", "both"):
        (tmp_path / name).mkdir()
    write_table(tmp_path / "searched" / "pareto.csv", [measured])
    monkeypatch.chdir(tmp_path)
    assert main(["reduce", "frontier", "searched", "-o", "plain"]) == 0
    assert main(["reduce", "frontier", "searched", "-o", "both", "--published", "cifar100"]) == 0
    assert "1 of 1 networks on the ReLU frontier" in capsys.readouterr().out
    assert (tmp_path / "both" / "pareto.csv").read_bytes() == (tmp_path / "plain" / "pareto.csv").read_bytes()
    (found,) = read_table(tmp_path / "both" / "pareto.csv", tmp_path)
    assert found.relu_frontier
    drawn = [len((tmp_path / name / "pareto.svg").read_text()) for name in ("plain", "both")]
    assert drawn[1] > 1.5 * drawn[0]
    assert main(["reduce", "frontier", "searched", "-o", "both", "--published", "cifar100", "--no-plot"]) == 2
    assert "leave out --no-plot" in capsys.readouterr().err
    assert set(MARKS) >= {point.mark for name in NAMES for point in published_points(name)}
