"""Processes that are forked in place of new interpreters (tests/forked_starts.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.forked_starts import ForkedStarts
from tests.waiting import eventually

PI_BENCH = [sys.executable, "-m", "pi_bench"]
WAITING = [*PI_BENCH, "infer", "--connect", "127.0.0.1:1", "--input", "/dev/stdin"]


def is_fork(pid: int) -> bool:
    return b"fork_server.py" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_fork_is_a_child_with_words_folder_environment_streams_and_exit_code(tmp_path: Path) -> None:
    command = [*PI_BENCH, "schema", "weather"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert is_fork(process.pid)
        assert os.readlink(f"/proc/{process.pid}/cwd") == str(tmp_path) or process.poll() is not None
        out, errors = process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert errors.startswith(b"error: ") and b"weather" in errors
    listed = subprocess.run([*PI_BENCH, "schema", "result"], capture_output=True, text=True)
    assert (listed.returncode, listed.stderr) == (0, "") and listed.stdout.startswith("{")
    wide, narrow = (
        subprocess.run(
            [*PI_BENCH, "--help"], capture_output=True, text=True, env={**os.environ, "COLUMNS": n}
        )
        for n in ("200", "80")
    )
    assert max(map(len, wide.stdout.splitlines())) > 80 >= max(map(len, narrow.stdout.splitlines()))


@pytest.mark.parametrize(
    ("options", "group"), [({}, "ours"), ({"process_group": 0}, "own"), ({"start_new_session": True}, "own")]
)
def test_a_fork_has_the_group_that_is_asked_for_and_hears_signals(
    options: dict[str, Any], group: str
) -> None:
    with subprocess.Popen(WAITING, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        assert is_fork(process.pid)
        assert os.getpgid(process.pid) == (os.getpgrp() if group == "ours" else process.pid)
        assert (os.getsid(process.pid) == process.pid) == ("start_new_session" in options)
        assert process.poll() is None
        process.kill()
        assert process.wait(60) == -signal.SIGKILL


def test_a_fork_has_no_files_but_those_that_it_is_given() -> None:
    reader, writer = os.pipe()
    with subprocess.Popen(
        WAITING, stdin=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[writer]
    ) as process:
        assert is_fork(process.pid)
        os.close(writer)
        files = Path(f"/proc/{process.pid}/fd")
        found = {int(path.name): os.readlink(path) for path in files.iterdir()}
        pipe = os.readlink(f"/proc/self/fd/{reader}")
        process.kill()
    os.close(reader)
    assert found[writer] == pipe
    assert not any(place.startswith("socket:") for place in found.values())


@pytest.mark.parametrize("case", ["variables of Python", "a function before the start", "another command"])
def test_a_new_interpreter_starts_where_a_fork_would_differ(case: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {}
    command = WAITING
    if case == "variables of Python":
        options["env"] = {**os.environ, "PYTHONPATH": str(tmp_path)}
    elif case == "a function before the start":
        options["preexec_fn"] = os.getpid
    else:
        command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        assert eventually(lambda: command[-1].encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes())
        process.kill()


def test_a_test_of_the_start_gets_new_interpreters(new_interpreters: None, forks: ForkedStarts) -> None:
    assert forks.suspended
    with subprocess.Popen([*PI_BENCH, "--help"], stdout=subprocess.DEVNULL) as process:
        assert not is_fork(process.pid)
        assert process.wait(60) == 0
