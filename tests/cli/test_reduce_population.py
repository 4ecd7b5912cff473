"""`pi-bench reduce plan --population`: options reach the members, and those out of place are refused."""

import csv

import pytest

from pi_bench.errors import UsageError
from tests.installed import skip_without

skip_without("torch", "sklearn", "matplotlib")

from .test_reduce import QUICK, run, small, table_of  # noqa: F401  the fixture


def test_a_population_finds_a_plan_within_the_budget(small, tmp_path, capsys):  # noqa: F811
    words = ("--population", 2, "--generations", 2, "--generation-epochs", 1, "--exchange-generations", 1)
    fixed = (*QUICK, "--jobs", 1, "--no-latency", "--no-plot")
    assert run("plan", "--budget", 300, *words, "--network", small, "-o", tmp_path, *fixed) == 0
    assert "population for --budget 300: member" in capsys.readouterr().err
    with open(tmp_path / "population" / "300" / "generations.csv", newline="") as file:
        assert [(row["generation"], row["member"]) for row in csv.DictReader(file)] == [
            (number, member) for number in "01" for member in "01"
        ]
    row = {row["step"]: row for row in table_of(tmp_path)}["layers-300"]
    assert int(row["relu_count"]) <= 300 and not (tmp_path / "sensitivity").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--generations", 3], "options of populations go with --population: add it, or leave them out"),
        (["--population", 2, "--generations", 0], "population: generations is 0, allowed: 1 to 100000"),
        (["--population", -1], "population: members is -1, allowed: 0 to 1000"),
        (["--population", 2, "--sensitivity-epochs", 3], "--sensitivity-epochs goes without --population"),
    ],
)
def test_what_is_wrong_with_a_population_is_named(small, tmp_path, arguments, message):  # noqa: F811
    with pytest.raises(UsageError) as caught:
        run("plan", "--budget", 9, "--network", small, "-o", tmp_path / "out", *arguments)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()
