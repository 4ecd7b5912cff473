"""`pi-bench reduce autorep`: ReLUs and quadratics pixel by pixel, run with real cryptography."""

import json

import pytest

from pi_bench.errors import PiBenchError, UsageError
from tests.installed import skip_without

skip_without("torch", "sklearn", "matplotlib")

from .test_reduce import QUICK, run, small, table_of  # noqa: F401  the fixture

FIXED = (*QUICK, "--replacement-epochs", 2, "--jobs", 1, "--runs", 1, "--warmup", 0, "--no-plot")


def test_pixels_meet_their_budget_in_private(small, tmp_path, capsys):  # noqa: F811
    command = ("autorep", "--budget", 300, "--network", small, "-o", tmp_path, *FIXED)
    assert run(*command) == 0
    out, err = capsys.readouterr()
    assert "replaced: 300 ReLUs of the " in err and "autorep pixel-300" in out
    row = {row["step"]: row for row in table_of(tmp_path)}["pixel-300"]
    measured = json.loads((tmp_path / row["folder"] / "latency.json").read_text())
    assert measured["verification"]["passed"] and measured["protocol"] == "delphi"
    assert int(row["relu_count"]) == measured["network"]["relu_count"] == 300
    assert measured["network"]["square_count"] == 512 - 300
    search = json.loads((tmp_path / "search.json").read_text())
    assert search["replacement"]["variant"] == "corrected" and search["replacement"]["epochs"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", 600], "--budget 600: small-digits has 512 ReLUs, a budget must be below"),
        (["--budget", 9, "--variant", "faithful"], "variant is 'faithful', allowed: corrected, paper"),
        (["--budget", 9, "--hysteresis", 2], "replacement: hysteresis is 2.0, allowed: 0 to 1"),
        (["--budget", "9ms"], "--budget 9ms is a time: add --objective online"),
    ],
)
def test_what_is_wrong_with_a_replacement_is_named(small, tmp_path, arguments, message):  # noqa: F811
    with pytest.raises(PiBenchError) as caught:
        run("autorep", "--network", small, "-o", tmp_path / "out", *arguments)
    assert isinstance(caught.value, UsageError) and message in str(caught.value)
    assert not (tmp_path / "out").exists()
