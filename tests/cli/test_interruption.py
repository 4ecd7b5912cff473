"""Ctrl-C and SIGTERM keep what had finished: real processes, real signals, at a moment that the bar tells."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from pi_bench.models.reduction.candidate import Candidate
from pi_bench.models.reduction.measuring import measure_all
from pi_bench.report.documents import schema_of


def interrupt(
    command: list[str], moment: str, number: signal.Signals = signal.SIGINT
) -> tuple[int, str, str]:
    """Sends the signal once the progress bar matches `moment`; returns exit code, output and errors."""
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pi_bench", *command],
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(end)
        shown = ""
        while not re.search(moment, re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)):
            shown += os.read(terminal, 4096).decode()
        process.send_signal(number)
        assert process.stdout is not None
        output = process.stdout.read()
        try:
            while piece := os.read(terminal, 4096):
                shown += piece.decode()
        except OSError:  # the last writer has closed the terminal
            pass
        os.close(terminal)
        return process.wait(60), output, shown


def checked(path: Path, schema: str) -> Any:
    result = json.loads(path.read_text())
    jsonschema.validate(result, schema_of(schema))
    return result


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_latency_keeps_its_finished_runs(
    number: signal.Signals, code: int, model_file: Path, tmp_path: Path
) -> None:
    target, answer = tmp_path / "result.json", tmp_path / "y.npy"
    command = ["latency", str(model_file), "--runs", "40000", "--protocol", "ideal", "--threads", "1"]
    files = ["--json", str(target), "--output", str(answer)]
    found, output, errors = interrupt([*command, *files], r"[1-9]\d/40001 run", number)
    assert found == code
    result = checked(target, "result")
    assert result["interrupted"] is True
    assert 9 <= result["runs"] < result["requested_runs"] == 40000
    assert len(result["online"]["latency_s"]["samples"]) == result["runs"]
    assert result["verification"]["verified_run_count"] == result["runs"]
    assert f"INTERRUPTED: {result['runs']} of 40000 runs" in output
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
    code, output, _ = interrupt(["micro", "prg", "he", *sizes, "--json", str(target)], "1/2 he")
    assert code == 130
    result = checked(target, "micro")
    assert result["interrupted"] is True
    assert "prg" in {row["primitive"] for row in result["results"]}
    assert "INTERRUPTED" in output


def test_a_search_lists_the_networks_that_were_not_measured(tmp_path: Path) -> None:
    told = []

    def measure(model: Path, result: Path) -> None:
        result.write_text("half of it")
        raise KeyboardInterrupt

    candidates = [Candidate(name, "deepreduce", "1-cull", 64, folder=".") for name in ("a", "b")]
    found = measure_all(
        candidates, tmp_path, measure, {}, lambda *_: None, lambda error, done: told.append(done)
    )
    assert told == [0]
    assert [one.failure for one in found] == ["not measured: interrupted"] * 2
    assert list(tmp_path.iterdir()) == []
