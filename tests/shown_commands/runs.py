"""Runs the commands of a document in one folder, in their order."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pi_bench.errors import EXIT_SLOWER
from tests.shown_commands.collection import ROOT, Command
from tests.shown_commands.workspace import environment

LIMIT_S = 900
EXIT_LIMIT = 124  # that of timeout(1)


@dataclass(frozen=True)
class Outcome:
    """The exit code, the duration and the output of one command."""

    command: Command
    exit_code: int
    seconds: float
    output: str


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run_document(commands: list[Command], folder: Path) -> Iterator[Outcome]:
    """Runs the commands and yields the outcome of each. A server runs until its block ends."""
    for _, block in groupby(commands, key=lambda command: command.block):
        port, servers = str(free_port()), []
        for command in block:
            text = command.tested.replace("{port}", port)
            if text.startswith("make "):  # the Makefile is that of the checkout
                text = f"make -C {shlex.quote(str(ROOT))} {text.removeprefix('make ')}"
            start = time.monotonic()
            if text.startswith("pi-bench serve "):
                servers.append((command, start, _started(text, folder)))
                continue
            exit_code, output = _finished(text, folder)
            if is_verdict(text, exit_code, output):
                exit_code = 0
            yield Outcome(command, exit_code, time.monotonic() - start, output)
        for command, start, server in servers:
            server.send_signal(signal.SIGTERM)
            output, _ = server.communicate(timeout=30)
            ended = 0 if server.returncode in (0, 128 + signal.SIGTERM) else 1
            yield Outcome(command, ended, time.monotonic() - start, output)


def is_verdict(text: str, exit_code: int, output: str) -> bool:
    """Returns whether `regress` ended by judging a run to be slower or undecided.

    That depends on what else the machine does. Runs that cannot be judged are a fault of the document.
    """
    judged = exit_code == EXIT_SLOWER and "cannot be judged" not in output
    return text.startswith("pi-bench regress ") and judged


def _finished(text: str, folder: Path) -> tuple[int, str]:
    """Runs a command to its end, or ends it and all that it started after LIMIT_S."""
    process = subprocess.Popen(
        ("bash", "-c", text),
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_S)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        return EXIT_LIMIT, f"{output}\nended after {LIMIT_S} s"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _started(text: str, folder: Path) -> subprocess.Popen[str]:
    """Starts a server and returns when it has printed its first line."""
    server = subprocess.Popen(
        shlex.split(text, comments=True),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    while (line := server.stdout.readline()) and not line.startswith("serving "):
        pass
    return server
