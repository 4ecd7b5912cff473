"""Processes that are forked in place of new interpreters (tests/forked_starts.py)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.forked_starts import ForkedStarts
from tests.packages import TOY
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
PI_BENCH = [sys.executable, "-m", "pi_bench"]
WAITING = [*PI_BENCH, "infer", "--connect", "127.0.0.1:1", "--input", "/dev/stdin"]


def words_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def is_fork(pid: int) -> bool:
    """A fork's words stand in the place of its server's, which are longer."""
    return words_of(pid).endswith(b"\0\0")


def test_a_fork_has_the_words_the_environment_the_streams_and_the_exit_code() -> None:
    failed = subprocess.run([*PI_BENCH, "schema", "weather"], capture_output=True)
    assert (failed.returncode, failed.stdout) == (2, b"")
    assert failed.stderr.startswith(b"error: ") and b"weather" in failed.stderr
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
    ("options", "group"),
    [
        ({}, "ours"),
        ({"env": {**os.environ, "PYTHONBREAKPOINT": "ray.util.rpdb.set_trace"}}, "ours"),  # as after Ray
        ({"process_group": 0}, "own"),
        ({"start_new_session": True}, "own"),
    ],
    ids=["plain", "after Ray", "group", "session"],
)
def test_a_fork_has_the_folder_and_the_group_that_are_asked_for_and_hears_signals(
    options: dict[str, Any], group: str, tmp_path: Path
) -> None:
    with subprocess.Popen(
        WAITING, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options
    ) as process:
        assert is_fork(process.pid)
        assert words_of(process.pid).rstrip(b"\0").split(b"\0") == [os.fsencode(word) for word in WAITING]
        assert os.readlink(f"/proc/{process.pid}/cwd") == str(tmp_path)
        assert os.getpgid(process.pid) == (os.getpgrp() if group == "ours" else process.pid)
        assert (os.getsid(process.pid) == process.pid) == ("start_new_session" in options)
        assert process.poll() is None
        process.kill()
        assert process.wait(60) == -signal.SIGKILL


def open_files(pid: int | str) -> dict[int, str]:
    found = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            found[int(path.name)] = os.readlink(path)
    return found


def test_a_fork_has_no_files_but_those_that_it_is_given(forks: ForkedStarts) -> None:
    given, others = os.pipe(), os.pipe()
    for file in others:
        os.set_inheritable(file, True)
    with subprocess.Popen(
        WAITING, stdin=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=given[:1]
    ) as process:
        assert is_fork(process.pid)
        ours, found = open_files("self"), open_files(process.pid)
        servers = [open_files(server.process.pid) for server in forks.servers.values()]
        sockets = {file for files in servers for file in files.values() if file.startswith("socket:")}
        # The socket over which it has told its number is the last that it closes.
        assert sockets and eventually(lambda: not sockets & set(open_files(process.pid).values()))
        process.kill()
    for file in (*given, *others):
        os.close(file)
    assert found[given[0]] == ours[given[0]]
    assert ours[others[0]] not in found.values()


def test_a_fork_has_the_path_that_it_is_given_and_tells_where_it_was_aborted_if_asked(
    tmp_path: Path,
) -> None:
    """A protocol of a folder on the path is found; `-X faulthandler` shows the threads of a fork."""
    environment = {**os.environ, "PYTHONPATH": str(TOY)}
    for variables in (environment, os.environ):
        command = [*PI_BENCH, "inspect", "no.pt", "--protocol", "toy"]
        refused = subprocess.run(command, env=variables, capture_output=True, text=True)
        assert ("there is no protocol 'toy'" in refused.stderr) == (variables is os.environ), refused.stderr
    for options in (["-X", "faulthandler"], []):
        command = [sys.executable, *options, *WAITING[1:]]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert is_fork(process.pid)
            process.send_signal(signal.SIGABRT)
            told = process.communicate()[1]
        assert process.returncode == -signal.SIGABRT and (b"Fatal Python error" in told) == bool(options)


@pytest.mark.parametrize(
    "case",
    ["variables of Python", "a module of each start", "a function before the start", "another command"],
)
def test_a_new_interpreter_starts_where_a_fork_would_differ(case: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {}
    command = WAITING
    if case == "variables of Python":
        options["env"] = {**os.environ, "PYTHONOPTIMIZE": "1"}
    elif case == "a module of each start":
        (tmp_path / "sitecustomize.py").write_text("")
        options["env"] = {**os.environ, "PYTHONPATH": str(tmp_path)}
    elif case == "a function before the start":
        options["preexec_fn"] = os.getpid
    else:
        command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        assert eventually(lambda: command[-1].encode() in words_of(process.pid))
        assert not is_fork(process.pid)
        process.kill()


def test_a_test_of_the_start_gets_new_interpreters(new_interpreters: None, forks: ForkedStarts) -> None:
    assert forks.suspended
    with subprocess.Popen(WAITING, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert not is_fork(process.pid)
        process.kill()


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_parties_of_a_fork_are_forks_and_its_children(model_file: Path) -> None:
    serve = [*PI_BENCH, "serve", str(model_file), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(serve, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        started = process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        words = {int(pid): words_of(int(pid)).rstrip(b"\0").split(b"\0") for pid in children}
        groups = {pid: os.getpgid(pid) for pid in words}
        forks = {pid: is_fork(pid) for pid in words}
    finally:
        process.kill()
        process.communicate()
    assert started.startswith(b"serving")
    server, party = sorted(words, key=lambda pid: b"-m" in words[pid])
    assert words[server] == [os.fsencode(sys.executable), os.fsencode(ROOT / "tests/fork_server.py")]
    assert words[party][1:4] == [b"-P", b"-m", b"pi_bench.launch.server_process"] and forks[party]
    assert groups == {server: server, party: party}  # Ctrl-C reaches neither
    assert eventually(lambda: has_ended(server) and has_ended(party))


def test_a_fork_that_another_process_gets_ends(monkeypatch: pytest.MonkeyPatch, forks: ForkedStarts) -> None:
    """After Ctrl-C, the process that asked may be no reaper any more. The fork must not wait for it."""
    monkeypatch.setattr("tests.forked_starts._libc.prctl", lambda *_: 0)
    reading, writing = os.pipe()
    with open(reading, "rb") as read, pytest.raises(OSError, match="no process was forked for pi_bench"):
        try:
            subprocess.Popen([*PI_BENCH, "schema", "result"], stdout=writing)
        finally:
            os.close(writing)
            assert read.read() == b""  # the fork has closed its end
