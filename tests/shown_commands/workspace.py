"""Makes the files that the documents take for granted, from a network that trains in seconds.

It has four stages, as the networks of DeepReDuce have, and the smallest images that its step rho can halve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

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
np.save("input.npy", np.random.default_rng(1).normal(size=(3, 32, 32)).clip(-2, 2).astype(np.float32))

network = my_network.build().eval()
example = torch.from_numpy(images[:1])
torch.save({"state_dict": network.state_dict()}, "checkpoint.pt")
torch.export.save(torch.export.export(network, (example,)), "network.pt2")
torch.onnx.export(network, example, "network.onnx", dynamo=False)
torch.save(build(recipe_of(models, "mine.toml")).state_dict(), "state.pt")
"""


def environment(folder: Path) -> dict[str, str]:
    """Returns the environment of commands in `folder`: a home of its own, and the commands of this Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PI_BENCH_", "XDG_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    cache = folder.parent / "cache"  # costs and limits of the machine are measured once
    own = {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)}
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
    (folder / "results").mkdir()
    shutil.copy(folder / "result.json", folder / "results" / "result.json")


def _run(folder: Path, given: Mapping[str, str], *command: str) -> None:
    program = shutil.which(command[0], path=given["PATH"]) or command[0]
    done = subprocess.run((program, *command[1:]), cwd=folder, env=given, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: the files of the documents cannot be made: {done.stdout}{done.stderr}")
