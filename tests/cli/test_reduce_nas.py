"""`pi-bench reduce nas` continues after a kill, measures with real cryptography, and refuses bad options."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pi_bench.errors import PiBenchError, UsageError
from tests.installed import skip_without

skip_without("torch", "sklearn", "matplotlib")

from .test_reduce import run, table_of

RECIPE = """
schema = 1
name = "small-digits"
family = "cryptonas"
dataset = "digits"
input_shape = [1, 8, 8]
class_count = 10
blocks = [1, 1]
widths = [2, 8]
arcs = ["0", "0 0"]
"""
FIXED = (
    *("--data", "digits", "--epochs", 1, "--candidate-epochs", 2, "--device", "cpu", "--threads", 1),
    *("--jobs", 1, "--no-plot", "--least-layers", 2, "--most-layers", 4),
    *("--candidates", 3, "--population", 2, "--tournament", 2, "--children", 1, "--finals", 1),
)

DARTS = ("--budget", 900, "--space", "sphynx", "--search", "darts")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE)
    return path


def outcome_of(folder):
    """All that a search has found, but for seconds."""
    found = {}
    for path in sorted(folder.rglob("result.json")):
        found[str(path.parent.relative_to(folder))] = json.loads(path.read_text()) | {"training_s": 0}
    with open(folder / "candidates" / "700" / "candidates.csv", newline="") as file:
        return found, list(csv.DictReader(file))


def test_a_killed_search_continues_and_its_network_runs_in_private(small, tmp_path, capsys):
    command = ("nas", "--budget", 700, "--network", small, *FIXED)
    killed = [sys.executable, "-m", "pi_bench", "reduce", *map(str, command), "--no-latency"]
    with subprocess.Popen(
        [*killed, "-o", str(tmp_path / "killed")], start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        trained = (
            tmp_path / "killed" / "candidates" / "700" / "2" / "log.csv"
        )  # in the first epochs of a child
        end = time.monotonic() + 300
        while not trained.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        assert trained.exists()
        os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "killed" / "pareto.csv").exists()
    measuring = ("--runs", 1, "--warmup", 0)
    assert run(*command, "-o", tmp_path / "killed", *measuring) == 0
    out, err = capsys.readouterr()
    assert "candidate-1: " in err and "from an earlier run" in err and "nas cryptonas-700-" in out
    assert run(*command, "-o", tmp_path / "whole", "--no-latency") == 0
    assert outcome_of(tmp_path / "killed") == outcome_of(tmp_path / "whole")

    (row,) = table_of(tmp_path / "killed")
    measured = json.loads((tmp_path / "killed" / row["folder"] / "latency.json").read_text())
    assert measured["verification"]["passed"] and measured["protocol"] == "delphi"
    assert int(row["relu_count"]) == measured["network"]["relu_count"] <= 700


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--budget", 100],
            "--budget 100: the smallest network of the space cryptonas, 3 layers of 2 channels",
        ),
        (["--budget", 9000, "--space", "sphynx"], "--space sphynx needs a network of the family sphynx"),
        (["--budget", 900, "--search", "random", "--children", 3], "--children goes with --search evolution"),
        (
            ["--budget", 900, "--search", "darts"],
            "--search darts goes with --space sphynx, whose cells it weighs",
        ),
        ([*DARTS, "--most-layers", 8], "--most-layers goes without --search darts: the number of cells is"),
        ([*DARTS, "--tournament", 2], "--tournament goes with --search evolution"),
        ([*DARTS, "--time-weight", 1], "--time-weight goes with --objective online or total"),
        ([*DARTS, "--relaxed-epochs", 0], "relaxation of cells: epochs is 0, allowed: 1 to 100000"),
        ([*DARTS, "--finals", 5], "--finals 5 is more than --candidates 4"),
        (["--budget", 900, "--relaxed-width", 4], "--relaxed-width goes with --search darts"),
        (["--budget", 900, "--finals", 9, "--candidates", 8], "--finals 9 is more than --candidates 8"),
        (["--budget", 900, "--least-layers", 9, "--most-layers", 8], "--least-layers 9 is more than --most-"),
        (["--budget", 900, "--candidates", 0], "architecture search: candidates is 0, allowed: 1 to 100000"),
        (["--budget", 900, "--candidate-epochs", 0], "training: epochs is 0, allowed: 1 to 100000"),
        (["--budget", 900, "--validation", 0], "--validation 0: candidates are judged on validation images"),
        (["--budget", "9ms"], "--budget 9ms is a time: add --objective online"),
        (["--budget", 900, "--data", "mnist", "--image-side", 64], "the images of mnist are 32 x 32"),
        (["--budget", 900, "--teacher", "nowhere"], "--teacher nowhere is not the folder of a training"),
    ],
)
def test_what_is_wrong_with_an_architecture_search_is_named(small, tmp_path, arguments, message):
    with pytest.raises(PiBenchError) as caught:
        run("nas", "--network", small, "-o", tmp_path / "out", *arguments)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_images_of_another_size_are_for_data_that_have_them(tmp_path):
    with pytest.raises(UsageError, match="3 layers of 2 channels, has 384 ReLUs"):
        run("nas", "--budget", 100, "--image-side", 8, "-o", tmp_path / "out")
