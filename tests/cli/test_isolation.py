"""The client knows nothing of the model file, and no process of a run imports torch: seen from inside.

An audit hook in every Python process of a run ends the process the moment it imports torch, or opens the
model file where it must not. The file is as good as unreadable there, also for root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_HOOK = """
import os, sys

def _role():
    words = sys.orig_argv
    for role in ("client_process", "server_process"):
        if any(word.endswith(role) for word in words):
            return role
    return "infer" if "infer" in words else "launcher"

def _guard(event, arguments):
    role = _role()
    if event == "open" and role not in os.environ["MODEL_READERS"].split(","):
        path = arguments[0]
        if isinstance(path, (str, bytes)) and os.fsdecode(path).endswith(os.environ["FORBIDDEN_MODEL"]):
            os.write(2, f"{role} opened the model\\n".encode())
            os._exit(97)
    if event == "import" and arguments[0].partition(".")[0] == "torch":
        os.write(2, f"{role} imported torch\\n".encode())
        os._exit(98)

sys.addaudithook(_guard)
"""


def guarded(folder: Path, readers: str) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(_HOOK)
    return {
        **os.environ,
        "PYTHONPATH": str(folder),
        "FORBIDDEN_MODEL": "model.pt",
        "MODEL_READERS": readers,
    }


def latency(model_file: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pi_bench", "latency", str(model_file), "--runs", "1", "--warmup", "0"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_launcher_alone_opens_the_model_and_nobody_imports_torch(
    model_file: Path, tmp_path: Path
) -> None:
    done = latency(model_file, guarded(tmp_path, "launcher"))
    assert done.returncode == 0, done.stderr
    assert "verification passed" in done.stdout


def test_the_guard_sees_an_open_model(model_file: Path, tmp_path: Path) -> None:
    """Without it the test above could not fail: here nobody may open the file."""
    done = latency(model_file, guarded(tmp_path, "nobody"))
    assert done.returncode == 97
    assert "launcher opened the model" in done.stderr


def test_the_guard_sees_an_import(tmp_path: Path) -> None:
    code = [sys.executable, "-c", "import torch", "infer"]
    done = subprocess.run(code, env=guarded(tmp_path, ""), capture_output=True, text=True, check=False)
    assert done.returncode == 98


def test_infer_works_where_the_model_is_gone(
    model_file: Path, tiny_input: np.ndarray, tmp_path: Path
) -> None:
    copy = tmp_path / "model.pt"
    copy.write_bytes(model_file.read_bytes())
    np.save(tmp_path / "x.npy", tiny_input)
    environment = guarded(tmp_path, "launcher")
    serve = [sys.executable, "-m", "pi_bench", "serve", str(copy), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split(" at ")[1].split(",")[0]
            copy.unlink()
            client = [sys.executable, "-m", "pi_bench", "infer", "--connect", address]
            done = subprocess.run(
                [*client, "--input", str(tmp_path / "x.npy")],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr


_COMMANDS = """
import contextlib, io, json, sys

from pi_bench.cli import main

for words in json.loads(sys.argv[1]):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), errors.getvalue()]))
"""
"""Runs commands one after the other in one process, and tells of each its exit code, words and errors."""


def ended(commands: list[list[str]], environment: dict[str, str]) -> list[tuple[int, str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, json.dumps(commands)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_commands_that_need_no_torch_import_none(tmp_path: Path) -> None:
    """They must be quick, and work where torch is not installed."""
    commands = [["--help"], ["export", "--list"], ["export", "--list", "--json", "-"], ["schema", "result"]]
    for code, words, errors in ended(commands, guarded(tmp_path, "launcher")):
        assert (code, errors) == (0, "") and words


_NO_TORCH = """
import sys

class _Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, _Hidden())
"""


def test_without_torch_the_error_says_what_needs_it(model_file: Path, tmp_path: Path) -> None:
    """A model file needs none, and another file says that it does."""
    other = tmp_path / "other.pt"
    torch = pytest.importorskip("torch")
    torch.save({"weight": torch.ones(2, dtype=torch.float64)}, other)
    (tmp_path / "sitecustomize.py").write_text(_NO_TORCH)
    out, reduced = str(tmp_path / "m.pt"), ["--network", "resnet18", "-o", str(tmp_path / "s")]
    needing = [
        ["export", "--recipe", "resnet18-cifar100-12288", "-o", out],
        ["reduce", "snl", "--budget", "100", *reduced],
        ["reduce", "prune", "--budget", "100", *reduced],
        ["reduce", "deepreduce", *reduced],
    ]
    commands = [["inspect", str(model_file)], ["inspect", str(other)], *needing]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    (code, words, errors), *refused = ended(commands, environment)
    assert (code, errors) == (0, "") and "216 ReLUs" in words
    assert all((code, errors.count("\n")) == (7, 1) for code, _, errors in refused)
    assert refused[0][2].startswith(
        f"error: {other} is not as `pi-bench export` writes a model, and torch, which reads others"
    )
    for command, (_, _, errors) in zip(needing, refused[1:], strict=True):
        assert errors.startswith(f"error: `pi-bench {command[0]}` needs torch")
        assert errors.endswith('pip install "pi-bench[torch]"\n')
