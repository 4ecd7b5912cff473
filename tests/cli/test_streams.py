"""A command's output may be lost. Its files and its exit code are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pi_bench.atomic_file import whole_file

LATENCY = "latency {model} --runs 1 --warmup 0 --threads 1 --json {json}"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", ["export --list", "schema result", "--help", "inspect {model}"])
@pytest.mark.parametrize(
    ("redirection", "code"), [("| true", 0), (">&-", 0), ("2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 2)]
)
def test_lost_words_are_no_internal_error(
    command: str, redirection: str, code: int, model_file: Path
) -> None:
    line = f"set -o pipefail; {sys.executable} -m pi_bench {command.format(model=model_file)} {redirection}"
    done = shell(line)
    assert "internal" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert done.returncode == code


@pytest.mark.parametrize("redirection", ["| true", ">&-", ">&- 2>&-", ">/dev/full", "2>/dev/full"])
def test_lost_words_lose_no_file(redirection: str, model_file: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    shell(f"{sys.executable} -m pi_bench {LATENCY.format(model=model_file, json=result)} {redirection}")
    assert json.loads(result.read_text())["verification"]["passed"]
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_streams_are_files_too(model_file: Path) -> None:
    """/dev/stdout is standard output, which then holds the JSON alone; /dev/stderr at a pipe is no file."""
    for target in ("/dev/stdout", "/dev/stderr"):
        done = shell(f"{sys.executable} -m pi_bench inspect {model_file} --json {target}")
        assert done.returncode == 0
        assert json.loads(done.stdout if target == "/dev/stdout" else done.stderr)["name"] == "tiny"


def test_a_terminal_without_utf_8_gets_every_word(model_file: Path) -> None:
    line = f"LC_ALL=C PYTHONIOENCODING=ascii {sys.executable} -m pi_bench inspect {model_file}"
    done = shell(line)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_is_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), whole_file(path) as file:
        file.write(b"new")
        raise OSError("full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
