"""`pi-bench reduce plan --granularity channel`: channels with real cryptography, and options out of place."""

import json

import pytest

from pi_bench.errors import UsageError
from tests.installed import skip_without

skip_without("torch", "sklearn", "matplotlib")

from .test_reduce import QUICK, run, table_of

RECIPE = """
schema = 1
name = "one-block"
family = "resnet"
dataset = "digits"
input_shape = [1, 8, 8]
class_count = 10
blocks = [1]
widths = [2]
"""


@pytest.fixture
def small(tmp_path):
    """A network with three layers of two channels, so that short trainings are few."""
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def test_channels_of_a_plan_meet_their_budget_in_private(small, tmp_path, capsys):
    words = ("--granularity", "channel", "--choices", "quadratic", "--sensitivity-epochs", 1)
    fixed = (*QUICK, "--jobs", 1, "--runs", 1, "--warmup", 0, "--no-plot")
    assert run("plan", "--budget", 192, *words, "--network", small, "-o", tmp_path / "out", *fixed) == 0
    out, err = capsys.readouterr()
    assert "--budget 192: 3 relu, 3 quadratic channels, 192 ReLUs" in err
    assert "plan channels-192" in out
    row = {row["step"]: row for row in table_of(tmp_path / "out")}["channels-192"]
    measured = json.loads((tmp_path / "out" / row["folder"] / "latency.json").read_text())
    assert measured["verification"]["passed"] and measured["protocol"] == "delphi"
    assert int(row["relu_count"]) == measured["network"]["relu_count"] == 192
    assert "1 relu, 1 quadratic" in (tmp_path / "out" / row["folder"] / "recipe.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--channel-groups", 3],
            "--channel-groups goes with --granularity channel: add it, or leave it out",
        ),
        (["--granularity", "channel", "--channel-groups", 0], "--channel-groups is 0, allowed: 1 to 100000"),
        (["--granularity", "channel", "--population", 2], "--granularity channel goes without --population"),
    ],
)
def test_what_is_wrong_with_a_plan_by_channels_is_named(small, tmp_path, arguments, message):
    with pytest.raises(UsageError) as caught:
        run("plan", "--budget", 9, "--network", small, "-o", tmp_path / "out", *arguments)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
