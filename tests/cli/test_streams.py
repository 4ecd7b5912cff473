"""A command's output may be lost. Its files and its exit code are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from pi_bench.atomic_file import whole_file

PI_BENCH = [sys.executable, "-m", "pi_bench"]
LATENCY = "latency {model} --runs 1 --warmup 0 --threads 1 --json {json}"
LOST = {"| true": 0, ">/dev/full": 2, "2>/dev/full": 0, ">&-": 0, "2>&-": 0, ">&- 2>&-": 0}
"""Lists redirections of a shell, and the exit code that each gives a command that only prints words."""


def lost(redirection: str, words: str) -> tuple[int, str]:
    """Runs the command with lost streams; returns its exit code and the errors that are left.

    Python itself finds out at its start that a stream is closed, so the shell starts a new interpreter there.
    """
    if "&-" in redirection:
        line = f"{sys.executable} -m pi_bench {words} {redirection}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stderr
    pipe = subprocess.PIPE
    with open("/dev/full", "w") as full:
        streams = {"| true": (pipe, pipe), ">/dev/full": (full, pipe), "2>/dev/full": (pipe, full)}[
            redirection
        ]
        with subprocess.Popen(
            [*PI_BENCH, *words.split()], stdout=streams[0], stderr=streams[1], text=True
        ) as process:
            if redirection == "| true":
                assert process.stdout is not None
                process.stdout.close()
                process.stdout = None
            _, errors = process.communicate(timeout=120)
            return process.returncode, errors or ""


@pytest.mark.parametrize(
    ("command", "redirections"),
    [
        ("--help", LOST),
        ("schema result", LOST),
        ("inspect {model}", ["| true", ">/dev/full", "2>/dev/full"]),
        ("export --list", [">&-"]),
    ],
)
def test_lost_words_are_no_internal_error(
    command: str, redirections: Iterable[str], model_file: Path
) -> None:
    for redirection in redirections:
        code, errors = lost(redirection, command.format(model=model_file))
        assert code == LOST[redirection], (redirection, errors)
        assert not any(words in errors for words in ("internal", "Traceback", "ignored")), errors


@pytest.mark.parametrize("redirection", ["| true", ">/dev/full", "2>/dev/full", ">&- 2>&-"])
def test_lost_words_lose_no_file(redirection: str, model_file: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    lost(redirection, LATENCY.format(model=model_file, json=result))
    assert json.loads(result.read_text())["verification"]["passed"]
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_streams_are_files_too(stream: str, model_file: Path) -> None:
    """/dev/stdout is standard output, which then holds the JSON alone; /dev/stderr at a pipe is no file."""
    command = [*PI_BENCH, "inspect", str(model_file), "--json", f"/dev/{stream}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert json.loads(getattr(done, stream))["name"] == "tiny"


def test_a_terminal_without_utf_8_gets_every_word(model_file: Path) -> None:
    done = subprocess.run(
        [*PI_BENCH, "inspect", str(model_file)],
        env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_is_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), whole_file(path) as file:
        file.write(b"new")
        raise OSError("full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
