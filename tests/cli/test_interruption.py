"""Ctrl-C and SIGTERM keep finished runs: real processes, real signals, at a moment that the bar shows."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.cli import interruption
from pi_bench.models.reduction.candidate import Candidate
from pi_bench.models.reduction.private_latency import measure_all
from tests.installed import skip_without
from tests.schemas import require_valid
from tests.small_recipe import RECIPE

_LONGEST_S = 100.0


class Terminal:
    """A terminal that takes all that is written to it, as a user's does, and a context that closes it."""

    def __init__(self) -> None:
        self._master, self.end = pty.openpty()
        self._shown = bytearray()
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """All that was written, without the escapes that move the cursor or color a text."""
        with self._changed:
            return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", self._shown.decode(errors="replace"))

    def wait_for(self, moment: str) -> None:
        """Waits until the text matches `moment`."""
        with self._changed:
            assert self._changed.wait_for(lambda: re.search(moment, self.text), _LONGEST_S), self.text

    def close(self) -> None:
        """Waits for the last writer, and closes the terminal."""
        self._reader.join(_LONGEST_S)
        os.close(self._master)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the last writer has closed the terminal
            while piece := os.read(self._master, 4096):
                with self._changed:
                    self._shown += piece
                    self._changed.notify_all()


def interrupt(
    command: list[str], moment: str, number: signal.Signals = signal.SIGINT
) -> tuple[int, str, str]:
    """Sends the signal once the progress bar matches `moment`; returns exit code, output and errors.

    A command that does not end is aborted, and the errors then tell where all of its threads were.
    """
    terminal = Terminal()
    with subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "pi_bench", *command],
        stdout=subprocess.PIPE,
        stderr=terminal.end,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal.end)
        terminal.wait_for(moment)
        process.send_signal(number)
        try:
            output, _ = process.communicate(timeout=_LONGEST_S)
        except subprocess.TimeoutExpired:
            lives = process.poll() is None  # if not, a process that it left behind holds its output
            process.send_signal(signal.SIGABRT)
            process.wait()
            pytest.fail(f"the command {'did not end' if lives else 'left a process behind'}: {terminal.text}")
        terminal.close()
        return process.returncode, output, terminal.text


def checked(path: Path, schema: str) -> Any:
    result = json.loads(path.read_text())
    require_valid(result, schema)
    return result


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_latency_keeps_its_finished_runs(
    number: signal.Signals, code: int, model_file: Path, tmp_path: Path
) -> None:
    target, answer = tmp_path / "result.json", tmp_path / "y.npy"
    command = ["latency", str(model_file), "--runs", "40000", "--protocol", "ideal", "--threads", "1"]
    files = ["--json", str(target), "--output", str(answer)]
    found, output, errors = interrupt([*command, *files], r"[1-9]\d/4000\d run", number)
    assert found == code
    result = checked(target, "result")
    assert result["interrupted"] is True
    assert 4 <= result["runs"] < result["requested_runs"] == 40000  # ten, less up to five warm-up runs
    assert len(result["online"]["latency_s"]["samples"]) == result["runs"]
    assert result["verification"]["verified_run_count"] == result["runs"]
    assert f"INTERRUPTED: {result['runs']} of 40,000 runs" in output
    assert f"after {result['runs']} of 40,000 runs: the result holds the finished ones" in errors
    np.testing.assert_array_equal(np.load(answer).ravel(), np.ravel(result["outputs"]["logits"]))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["result.json", "y.npy"]


def test_without_a_finished_run_nothing_is_written(model_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    command = ["latency", str(model_file), "--warmup", "40000", "--protocol", "ideal", "--json", str(target)]
    code, output, errors = interrupt(command, r"[1-9]/40005 warm-up")
    assert (code, output) == (130, "")
    assert "error: interrupted\r\n" in errors
    assert not target.exists()


@pytest.mark.parametrize(
    ("moment", "private"), [(r"\d\d/4000 comparing", False), (r"64/200 running privately", True)]
)
def test_accuracy_keeps_its_finished_images(
    moment: str, private: bool, model_file: Path, tmp_path: Path
) -> None:
    count = 200 if private else 4000
    images = np.random.default_rng(0).normal(size=(count, 2, 6, 6)).clip(-2, 2).astype(np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(count) % 3)
    target = tmp_path / "result.json"
    command = ["accuracy", str(model_file), "--data", str(tmp_path / "data.npz"), "--json", str(target)]
    more = ["--private-sample", "200", "--protocol", "ideal", "--threads", "1"]
    code, output, errors = interrupt([*command, *more], moment)
    assert code == 130
    result = checked(target, "accuracy")
    assert result["interrupted"] is True
    if private:
        assert 0 < result["private"]["image_count"] < result["integer"]["image_count"] == 200
        assert "of 200 private images" in errors
    else:
        assert result["private"] is None
        assert 0 < result["integer"]["image_count"] == result["float"]["image_count"] < 4000
        assert 0 < result["layers"][-1]["relative_error"] < 0.1
    assert "warning: INTERRUPTED" in output


def test_micro_keeps_its_finished_cases(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    sizes = ["--count", "64", "--threads", "1", "--repetitions", "50"]
    code, output, _ = interrupt(["micro", "aes", "he", *sizes, "--json", str(target)], "1/2 he")
    assert code == 130
    result = checked(target, "micro")
    assert result["interrupted"] is True
    assert "aes" in {row["primitive"] for row in result["results"]}
    assert "INTERRUPTED" in output


def test_a_search_lists_the_networks_that_were_not_measured(tmp_path: Path) -> None:
    told = []

    def measure(model: Path, result: Path) -> None:
        result.write_text("half of it")
        raise KeyboardInterrupt

    candidates = [Candidate(name, "deepreduce", "1-cull", 64, folder=".") for name in ("a", "b")]
    candidates.insert(0, Candidate("c", "deepreduce", "1-thin", 32, failure="training diverged"))
    found = measure_all(
        candidates, tmp_path, measure, {}, lambda *_: None, lambda error, done: told.append(done)
    )
    assert told == [0]
    assert [one.failure for one in found] == ["training diverged", *["not measured: interrupted"] * 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
@pytest.mark.parametrize(("command", "number"), [("train", signal.SIGTERM), ("reduce", signal.SIGINT)])
def test_an_interrupted_training_says_that_it_continues(
    tmp_path: Path, command: str, number: signal.Signals
) -> None:
    skip_without("torch", "sklearn", "matplotlib")
    (tmp_path / "small.toml").write_text(RECIPE)
    out = tmp_path / "out"
    recipe = (
        ["train", "--recipe"] if command == "train" else ["reduce", "prune", "--budget", "400", "--network"]
    )
    fixed = ["--data", "digits", "--epochs", "5000", "--threads", "1", "--device", "cpu", "-o", str(out)]
    code, _, errors = interrupt([*recipe, str(tmp_path / "small.toml"), *fixed], r"epoch \d\d+ of", number)
    word = "terminated" if number == signal.SIGTERM else "interrupted"
    assert code == 128 + number
    said = " ".join(errors.split())
    assert (
        f"error: {word}: {out} keeps all finished trainings and epochs, and the same command continues"
        in said
    )


def start(command: str) -> subprocess.Popen[str]:
    """Starts a command, and returns once it handles signals."""
    code = (
        "import sys; from pi_bench import cli; handle = cli.Interruptions.__enter__\n"
        "cli.Interruptions.__enter__ = lambda of: (handle(of), print('.', flush=True))[0]\n"
        f"sys.argv[1:] = {command.split()}; sys.exit(cli.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "tries"),
    [("micro aes --count 64 --threads 1 --repetitions 1", 3), ("inspect MODEL", 3)],
)
def test_ctrl_c_at_any_moment_of_the_start_is_one_line(command: str, tries: int, model_file: Path) -> None:
    command = command.replace("MODEL", str(model_file))
    began = time.monotonic()
    start(command).communicate()
    duration_s, draw = time.monotonic() - began, random.Random(3)
    ended = []
    for part in range(tries):
        process = start(command)
        time.sleep((part + draw.random()) / tries * duration_s)
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1].strip()
        # The last steps of the interpreter, after the command, have no handler of ours.
        ended.append(process.returncode)
        assert (process.returncode, errors) in [(0, ""), (-signal.SIGINT, "")] or (
            process.returncode == 130 and re.fullmatch("error: interrupted.*", errors)
        )
    assert 130 in ended


@pytest.mark.parametrize(("number", "name"), [(2, "KeyboardInterrupt"), (15, "Terminated")])
def test_ctrl_c_within_a_finalizer_is_not_forgotten(number: int, name: str) -> None:
    """Python reports an exception there and goes on, and imports have such callbacks all the time."""
    code = f"""
import signal, time
from pi_bench.cli.interruption import Interruptions
class Finalized:
    def __del__(self):
        signal.raise_signal({number})
        self.ended = True
with Interruptions() as interruptions:
    interruptions.release()
    finalized = [Finalized()]
    try:
        finalized.clear()
        time.sleep(30)
    except KeyboardInterrupt as error:
        print(type(error).__name__, interruptions._count)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"{name} 1\n", "")


def test_ctrl_c_waits_for_the_end_of_the_import_of_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Initialization in C turns the exception of a signal into one of its own."""
    (tmp_path / "library_in_c.py").write_text(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    raise ImportError('cannot load the library')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(interruption, "_LIBRARIES", {"library_in_c"})
    with interruption.Interruptions() as interruptions:
        interruptions.release()
        with pytest.raises(KeyboardInterrupt):
            importlib.import_module("library_in_c")


def test_the_third_ctrl_c_ends_the_process_at_once() -> None:
    code = """
import signal
from pi_bench.cli.interruption import Interruptions
from tests.schemas import require_valid

with Interruptions() as interruptions:
    interruptions.release()
    for number in (1, 2, 3):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print(number, flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "1\n2\n", "")
