"""`pi-bench reduce --objective`: budgets and frontiers of predicted time, and plans for a link."""

import json

import pytest

from pi_bench.costs import Costs
from pi_bench.errors import InputError, PiBenchError, UsageError
from pi_bench.launch.model import load
from pi_bench.measurement_options.fusion_objective import costs_of_objective
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.files.model_file import save_model
from pi_bench.prediction.costs_file import read_costs, write_costs
from tests.installed import skip_without
from tests.unit.network.fusion.fusion_graphs import culled_graph

skip_without("torch", "sklearn", "matplotlib")

from .test_reduce import LINEARIZING, QUICK, run, small, table_of  # noqa: F401  the fixture

FIXED = (*QUICK, "--jobs", 1, "--runs", 1, "--warmup", 0, "--no-plot")


@pytest.fixture
def slower(made_up_costs, tmp_path):
    """The costs of a machine that is ten times as slow."""
    path = tmp_path / "slower.json"
    write_costs(Costs({name: 10 * cost for name, cost in made_up_costs.unit_s.items()}, 1, {}), path)
    return path


def test_a_search_to_a_predicted_time(small, tmp_path, capsys, monkeypatch, slower):  # noqa: F811
    """Two processes with real cryptography measure what was predicted, over the same link."""
    root = tmp_path / "out"
    timed = ("--objective", "online", "--link", "100Mbit,2ms")
    command = ("snl", "--network", small, "-o", root, *FIXED, *LINEARIZING, *timed)
    with pytest.raises(UsageError, match=r"--budget 1us: .* is the least that is predicted for small-digits"):
        run(*command, "--budget", "1us")
    budget = "150ms"
    assert run(*command, "--budget", budget) == 0
    out, err = capsys.readouterr()
    assert f"searching the number of ReLUs for {budget} (online, delphi, 100Mbit,2ms)" in err
    assert f"--budget {budget}: " in err and "predicted to take" in err
    assert "on the frontier of predicted time" in out
    baseline, reduced = table_of(root)
    assert (baseline["budget_s"], reduced["budget_s"]) == ("", "0.15")
    assert 0 < float(reduced["predicted_s"]) < float(baseline["predicted_s"])
    assert float(reduced["predicted_s"]) == pytest.approx(0.15, rel=0.25)  # its own bits, not the usual ones
    assert reduced["predicted_for"] == "online, delphi, 100Mbit,2ms"
    measured = json.loads((root / reduced["folder"] / "latency.json").read_text())
    assert measured["verification"]["passed"]
    assert measured["link"]["name"] == "100Mbit,2ms"

    # The costs stay in the folder: the same command on a slower machine has the same budget and networks.
    monkeypatch.setenv("PI_BENCH_COSTS", str(slower))
    before = (root / "pareto.csv").read_bytes()
    assert run(*command, "--budget", budget) == 0
    assert (root / "pareto.csv").read_bytes() == before
    again = capsys.readouterr().err
    assert f"--budget {budget}: " in again and "searching" not in again
    assert read_costs(root / "costs.json") != read_costs(slower)
    with pytest.raises(PiBenchError, match="another search, with another objective"):
        run("snl", "--network", small, "-o", root, *FIXED, *LINEARIZING, "--budget", 60)

    # Another link ranks the same networks anew.
    wan = ("--objective", "total", "--link", "wan", "--no-plot")
    assert run("frontier", root, "-o", tmp_path / "wan", *wan) == 0
    assert {row["predicted_for"] for row in table_of(tmp_path / "wan")} == {"total, delphi, wan"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--budget", "15ms"], UsageError, "--budget 15ms is a time: add --objective online"),
        (
            ["--budget", 60, "--objective", "online", "--protocol", "ideal"],
            UsageError,
            "protocol ideal has no costs to predict times from: choose another --protocol",
        ),
        (["--budget", 60, "--measure-costs"], UsageError, "--measure-costs goes with --objective online"),
        (
            ["--budget", 60, "--objective", "online", "--costs", "nowhere.json"],
            InputError,
            "cannot read the costs nowhere.json",
        ),
    ],
)
def test_what_is_wrong_with_an_objective_is_named(small, tmp_path, arguments, error, message):  # noqa: F811
    with pytest.raises(PiBenchError) as caught:
        run("snl", "--network", small, "-o", tmp_path / "out", *FIXED, *arguments)
    assert isinstance(caught.value, error)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "15ks"], "'15ks' is no time above 0: write 15ms, 900us or 1.5s"),
        (["--budget", "0ms"], "'0ms' is no time above 0"),
        (["--budget", 60, "--link", "wam"], "the link 'wam' cannot be read: did you mean wan?"),
        (
            ["--budget", 60, "--objective", "flops"],
            "--objective cannot be 'flops'; it can be relus, online, total",
        ),
    ],
)
def test_a_text_that_cannot_be_read_is_one_line(small, tmp_path, capsys, arguments, message):  # noqa: F811
    with pytest.raises(SystemExit) as caught:
        run("snl", "--network", small, "-o", tmp_path / "out", *arguments)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_the_digest_of_a_plan_for_a_link_is_that_of_every_machine(tmp_path, monkeypatch):
    """`serve --fuse online:wan` offers the same program wherever it runs: nothing reads a machine's costs."""
    save_model(culled_graph(), tmp_path / "model.pt")

    def loaded(objective):
        table = objective and costs_of_objective(objective)
        return load(tmp_path / "model.pt", CompileOptions(), fuse=table)

    first = loaded("online:wan")
    monkeypatch.setenv("PI_BENCH_COSTS", str(tmp_path / "nowhere.json"))
    assert loaded("online:wan").digest == first.digest != loaded(None).digest
    assert first.program.truncation_count == 0  # the culled stages are merged fully
