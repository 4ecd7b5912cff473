"""`pi-bench reduce safenet`: a network with channels of all kinds, run with real cryptography."""

import json
import re

import pytest

from pi_bench.errors import PiBenchError, UsageError
from tests.installed import skip_without

skip_without("torch", "sklearn", "matplotlib")

from .test_reduce import QUICK, run, small, table_of  # noqa: F401  the fixture

FIXED = (*QUICK, "--choice-epochs", 2, "--jobs", 1, "--runs", 1, "--warmup", 0, "--no-plot")


def test_mixtures_meet_their_budget_in_private(small, tmp_path, capsys):  # noqa: F811
    command = ("safenet", "--budget", 300, "--network", small, "-o", tmp_path, *FIXED)
    assert run(*command) == 0
    out, err = capsys.readouterr()
    assert "--budget 300: " in err and "safenet channels-300" in out
    assert re.search(r"\d epochs of all trainings: 0\.\d minutes, 0\.\d of CPU time", out)
    row = {row["step"]: row for row in table_of(tmp_path)}["channels-300"]
    measured = json.loads((tmp_path / row["folder"] / "latency.json").read_text())
    assert measured["verification"]["passed"] and measured["protocol"] == "delphi"
    assert int(row["relu_count"]) == measured["network"]["relu_count"] <= 300
    assert "mixtures = [" in (tmp_path / row["folder"] / "recipe.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", 600], "--budget 600: small-digits has 512 ReLUs, a budget must be below"),
        (["--budget", 9, "--choice-epochs", 0], "relaxation: epochs is 0, allowed: 1 to 100000"),
        (["--budget", 9, "--least-fraction", 0.6], "relaxation: least_fraction is 0.6, allowed: 0 to 0.5"),
        (["--budget", "9ms"], "--budget 9ms is a time: add --objective online"),
    ],
)
def test_what_is_wrong_with_a_choice_of_channels_is_named(small, tmp_path, arguments, message):  # noqa: F811
    with pytest.raises(PiBenchError) as caught:
        run("safenet", "--network", small, "-o", tmp_path / "out", *arguments)
    assert isinstance(caught.value, UsageError) and message in str(caught.value)
    assert not (tmp_path / "out").exists()
