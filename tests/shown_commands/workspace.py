"""Makes the files that the documents take for granted, from a network that trains in seconds.

It has four stages, as the networks of DeepReDuce have, and the smallest images that its step rho can halve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pi_bench.prediction.costs_file import read_costs, write_costs
from tests.shown_commands.collection import ROOT

RECIPE = """
schema = 1
name = "small-digits"
family = "resnet"
dataset = "digits"
input_shape = [1, 16, 16]
class_count = 10
blocks = [1, 1, 1, 1]
widths = [2, 4, 4, 4]
"""

POLYNOMIALS = 'polynomials = ["stages.0.*"]\n'

NETWORK = '''
"""A network of a reader, with ReLU masks that a checkpoint holds."""

import torch


class Masked(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = torch.nn.Parameter(torch.ones(1, 4, 16, 16))

    def forward(self, x):
        return self.alpha * torch.relu(x) + (1 - self.alpha) * x


def build():
    torch.manual_seed(1)
    first = torch.nn.Conv2d(1, 4, 3, padding=1)
    return torch.nn.Sequential(first, Masked(), torch.nn.Flatten(), torch.nn.Linear(1024, 10))
'''

FIXTURE_TEST = """
def test_private_latency(pi_bench_latency):
    assert pi_bench_latency("model.pt", protocol="delphi", runs=2).online.comm_round_count < 50
"""

SCRIPT = """
import numpy as np
import torch
from sklearn.datasets import load_digits

import my_network
from pi_bench.cli.recipes import recipe_of
from pi_bench import models
from pi_bench.models.building import build

data = load_digits()
images = np.kron(data.images[:64, None] / 8 - 1, np.ones((2, 2))).astype(np.float32)
labels = data.target[:64]
for name in ("images.npy", "inputs.npy", "x.npy"):
    np.save(name, images)
np.save("y.npy", labels)
np.savez("images.npz", images=images, labels=labels)
np.save("input.npy", images[0])

network = my_network.build().eval()
example = torch.from_numpy(images[:1])
torch.save({"state_dict": network.state_dict()}, "checkpoint.pt")
torch.export.save(torch.export.export(network, (example,)), "network.pt2")
torch.onnx.export(network, example, "network.onnx", dynamo=False)
torch.save(build(recipe_of(models, "mine.toml")).state_dict(), "state.pt")
"""


def environment(folder: Path) -> dict[str, str]:
    """Returns the environment of commands in `folder`: a home of its own, and the commands of this Python."""
    ours = ("PI_BENCH_", "XDG_", "PYTHONDONTWRITEBYTECODE")  # else each command would compile every module
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    own = {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(_cache(folder)), "PYTHONPATH": str(ROOT)}
    if _costs(folder).exists():
        own["PI_BENCH_COSTS"] = str(_costs(folder))
    # A thread that waits for another by spinning holds the core that the other needs on a busy machine.
    return {**kept, **own, "PATH": path, "COLUMNS": "100", "OMP_WAIT_POLICY": "PASSIVE"}


def make_workspace(folder: Path) -> None:
    """Fills a new folder. Ends the program with the output of a command that fails."""
    for place in (
        "home/.local/share/bash-completion/completions",
        "home/.zfunc",
        "home/.config/fish/completions",
    ):
        (folder / place).mkdir(parents=True)
    (folder / "small.toml").write_text(RECIPE)
    (folder / "mine.toml").write_text(RECIPE.replace("small", "mine") + POLYNOMIALS)
    (folder / "my_network.py").write_text(NETWORK)
    (folder / "test_private_latency.py").write_text(FIXTURE_TEST)
    (folder / "pytest.ini").write_text("[pytest]\n")  # or pytest would take the options of this project
    given = environment(folder)
    _run(folder, given, sys.executable, "-W", "ignore", "-c", SCRIPT)
    _run(
        folder,
        given,
        "pi-bench",
        "train",
        "--recipe",
        "small.toml",
        "--data",
        "digits",
        "--epochs",
        "1",
        "-o",
        "trained",
    )
    shutil.copytree(folder / "trained", folder / "relus")
    for name in ("model.pt", "a.pt", "b.pt", "other.pt"):
        shutil.copy(folder / "trained" / "model.pt", folder / name)
    _run(folder, given, "pi-bench", "latency", "model.pt", "--runs", "6", "--json", "result.json")
    _run(folder, given, "pi-bench", "history", "tag", "1", "baseline")
    _run(folder, given, "pi-bench", "inspect", "model.pt", "--protocol", "fss")
    _keep_costs(folder)
    (folder / "results").mkdir()
    shutil.copy(folder / "result.json", folder / "results" / "result.json")


def _cache(folder: Path) -> Path:
    return folder.parent / "cache"


def _costs(folder: Path) -> Path:
    return folder.parent / "costs.json"


def _keep_costs(folder: Path) -> None:
    """Writes the costs that two protocols needed to one file.

    Costs from the cache are measured again after each command whose runs contradict them. On a busy machine,
    this is most of the time of a command.
    """
    measured = [read_costs(path) for path in _cache(folder).glob("pi-bench/costs-*.json")]
    units = {name: seconds for costs in measured for name, seconds in costs.unit_s.items()}
    write_costs(replace(measured[0], unit_s=units), _costs(folder))


def _run(folder: Path, given: Mapping[str, str], *command: str) -> None:
    program = shutil.which(command[0], path=given["PATH"]) or command[0]
    done = subprocess.run((program, *command[1:]), cwd=folder, env=given, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: the files of the documents cannot be made: {done.stdout}{done.stderr}")
