"""Lets `subprocess` start the commands and the parties of tests as forks, which takes a tenth of the time.

Most of a small command's CPU time goes to Python's start and to imports, which are the same every time. Here
they happen once per test process, in a process (tests/fork_server.py) that then forks itself. A fork is a
process of its own: exit code, streams, signals, process group, memory and isolation are those of `Popen`.

What a fork cannot have is left to a new interpreter: other variables that Python reads at its start, and
any command but ``python -m MODULE`` of a module in `PREPARED`. A test of the start itself uses the fixture
`new_interpreters`.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PARTIES = (
    "pi_bench.launch.client_process",
    "pi_bench.launch.server_process",
    *(f"pi_bench.protocols.{name}" for name in ("delphi", "fss", "ideal", "null")),
)
PREPARED = {
    "pi_bench": (
        *_PARTIES,
        *(f"pi_bench.cli.{name}" for name in ("infer", "latency", "latency_connected", "latency_output")),
        *("pi_bench.cli.inspect", "pi_bench.cli.serve"),
    ),
    "pi_bench.launch.client_process": _PARTIES,
    "pi_bench.launch.server_process": _PARTIES,
    "pi_bench.models.reduction.worker": ("pi_bench.models.reduction.worker",),
}
"""The modules that are started as forks, with those that are imported before."""

_READ_AT_START = (
    "PYTHON",
    "LANG",
    "LC_",
    "LD_",
    "GLIBC_",
    "MALLOC_",
    "OMP_",
    "OPENBLAS_",
    "MKL_",
    "PI_BENCH_ISA",
)
_PR_SET_CHILD_SUBREAPER = 36
_SERVER = Path(__file__).parent / "fork_server.py"
_libc = ctypes.CDLL(None, use_errno=True)


class ForkServer:
    """One process that has imported `modules` with these variables, and forks itself."""

    def __init__(self, modules: tuple[str, ...], environment: dict[str, str]) -> None:
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_SERVER), str(theirs.fileno()), *modules],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C in the terminal is for pytest and for the forks
            )

    def start(self, request: dict[str, Any], files: list[int]) -> int:
        """Returns the process id of a fork, which is a child of this process."""
        data = json.dumps(request).encode()
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            socket.send_fds(self._connection, [len(data).to_bytes(8, "little")], files)
            self._connection.sendall(data)
            pid = int.from_bytes(self._connection.recv(8, socket.MSG_WAITALL), "little")
        finally:
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if not pid:
            raise OSError(f"no process was forked for {request['module']}")
        return pid

    def close(self) -> None:
        """Ends the server; its forks live on."""
        self._connection.close()
        self._process.wait()


class ForkedStarts:
    """The servers of this process: one for each set of modules and of variables read at the start."""

    def __init__(self) -> None:
        self.suspended = False
        self._guard = threading.Lock()
        self._servers: dict[Any, ForkServer] = {}
        self._python = _variables(os.environ, "PYTHON")

    def pid(self, given: dict[str, Any]) -> int | None:
        """Starts the process of `Popen._execute_child` with these arguments; None if no fork can be it."""
        words = [os.fsdecode(word) for word in given["args"]] if isinstance(given["args"], list) else []
        options = words[1 : words.index("-m")] if "-m" in words else None
        if words[:1] != [sys.executable] or options not in ([], ["-P"]):
            return None
        module, *rest = words[2 + len(options) :]
        environment = dict(os.environ if given["env"] is None else given["env"])
        usual = (given["executable"], given["preexec_fn"], given["shell"], given["umask"], given["close_fds"])
        if (
            module not in PREPARED
            or usual != (None, None, False, -1, True)
            or _variables(environment, "PYTHON") != self._python
        ):
            return None
        streams = zip((given["p2cread"], given["c2pwrite"], given["errwrite"]), range(3), strict=True)
        files = [number if file == -1 else file for file, number in streams] + list(given["pass_fds"])
        request = {
            "module": module,
            "words": rest,
            "from_folder": not options,
            "environment": environment,
            "folder": os.fsdecode(given["cwd"] or os.getcwd()),
            "cores": sorted(os.sched_getaffinity(0)),
            "session": given["start_new_session"],
            "group": os.getpgrp() if given["process_group"] == -1 else given["process_group"],
            "parent": os.getpid(),
            "files": [0, 1, 2, *given["pass_fds"]],
        }
        with self._guard:
            return self._server(PREPARED[module], environment).start(request, files)

    def _server(self, modules: tuple[str, ...], environment: dict[str, str]) -> ForkServer:
        key = (modules, tuple(sorted(_variables(environment, *_READ_AT_START).items())))
        if key not in self._servers:
            self._servers[key] = ForkServer(modules, environment)
        return self._servers[key]

    def close(self) -> None:
        """Ends every server."""
        for server in self._servers.values():
            server.close()


def _variables(environment: Any, *prefixes: str) -> dict[str, str]:
    """Returns the variables with these prefixes but PYTHONBREAKPOINT, which Ray sets and no start reads."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(prefixes) and name != "PYTHONBREAKPOINT"
    }


@contextlib.contextmanager
def forked_starts() -> Iterator[ForkedStarts]:
    """Lets `subprocess.Popen` fork where it can, inside of the context."""
    starts, execute = ForkedStarts(), subprocess.Popen._execute_child  # type: ignore[attr-defined]
    names = inspect.signature(execute)

    def _execute_child(process: subprocess.Popen[Any], *arguments: Any) -> None:
        given = names.bind(process, *arguments).arguments
        pid = None if starts.suspended else starts.pid(given)
        if pid is None:
            execute(process, *arguments)
            return
        process.pid = pid
        process._child_created = True  # type: ignore[attr-defined]
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        process._close_pipe_fds(*(given[name] for name in pipes))  # type: ignore[attr-defined]

    subprocess.Popen._execute_child = _execute_child  # type: ignore[attr-defined]
    try:
        yield starts
    finally:
        subprocess.Popen._execute_child = execute  # type: ignore[attr-defined]
        starts.close()
