"""Two processes that train together as `torchrun` starts them, against one that trains alone."""

import csv
import dataclasses
import json
import subprocess
import sys

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.cli import main
from pi_bench.errors import UsageError
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.models.training import train_recipe

TOGETHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "pi_bench")


def arguments(recipe, folder):
    options = ["--batch-size", 64, "--epochs", 1, "--learning-rate", 0.01, "--threads", 1, "--device", "cpu"]
    return [str(word) for word in ("train", "--recipe", recipe, "--data", "digits", "-o", folder, *options)]


def train_together(recipe, folder):
    command = [sys.executable, *TOGETHER, *arguments(recipe, folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def small(tmp_path_factory, recipe):
    digits = dataclasses.replace(recipe, dataset="digits", input_shape=(1, 8, 8), class_count=10)
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(format_recipe(digits))
    return path


def test_two_workers_are_one_but_for_rounding(small, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert main(arguments(small, alone)) == 0
    ran = train_together(small, together)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("test accuracy") == 1  # worker 0 speaks
    rows = [
        list(csv.DictReader((folder / "log.csv").read_text().splitlines())) for folder in (alone, together)
    ]
    for one, other in zip(*rows, strict=True):
        assert float(other["train_loss"]) == pytest.approx(float(one["train_loss"]), rel=1e-3)
        assert float(other["validation_loss"]) == pytest.approx(float(one["validation_loss"]), rel=1e-2)
    states = [torch.load(folder / "state.pt", weights_only=True) for folder in (alone, together)]
    assert list(states[0]) == list(states[1])
    for name, value in states[0].items():
        # Batch norms that saw half a batch each would be off by a hundredth.
        torch.testing.assert_close(states[1][name], value, rtol=1e-3, atol=5e-4, msg=name)
    assert {path.name for path in together.iterdir()} == {path.name for path in alone.iterdir()}
    assert json.loads((together / "result.json").read_text())["settings"]["batch_size"] == 64


def test_a_batch_that_cannot_be_divided(recipe, blobs, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(train_recipe, "worker_count", lambda: 3)
    with pytest.raises(UsageError, match="--batch-size 16 cannot be divided among 3 workers: use a multiple"):
        train_recipe.train_recipe(
            recipe, blobs, dataclasses.replace(settings, batch_size=16), tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()
