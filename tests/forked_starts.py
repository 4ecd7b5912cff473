"""Lets `subprocess` start the commands and the parties of tests as forks, which takes a tenth of the time.

Most of a small command's CPU time goes to Python's start and to imports, which are the same every time. Here
they happen once per test process, in a process (tests/fork_server.py) that then forks itself. A fork is a
process of its own: words, exit code, streams, signals, process group, memory and isolation are those of
`Popen`. The parties of a command that is a fork are forks too, of a child that the command has from its
start.

What a fork cannot have is left to a new interpreter: other variables that Python reads at its start, a
``sitecustomize`` on PYTHONPATH, and any command but ``python [OPTION] -m MODULE`` of `OPTIONS` and
`PREPARED`. A test of the start itself uses the fixture `new_interpreters`.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_PARTIES = (
    "pi_bench.launch.client_process",
    "pi_bench.launch.server_process",
    *(f"pi_bench.protocols.{name}" for name in ("delphi", "fss", "ideal", "null")),
)
_COMMANDS = (
    *_PARTIES,
    *(
        f"pi_bench.cli.{name}"
        for name in ("compare", "history", "infer", "inspect", "latency", "latency_connected")
    ),
    *(
        f"pi_bench.cli.{name}"
        for name in ("latency_output", "parser", "progress", "schema", "serve", "warnings")
    ),
    *("pi_bench.launch.cached_costs", "pi_bench.launch.cached_limits", "pi_bench.launch.timelines"),
    *("pi_bench.report.details", "pi_bench.report.history", "pi_bench.report.inspection"),
    *("pi_bench.report.result_table", "pi_bench.report.trace", "pi_bench.report.two_machines"),
    *("pi_bench.history", "pi_bench.network.files.model_file", "pi_bench.network.fusion.plan"),
    *("pi_bench.tasks.inspecting", "pi_bench.tasks.predicting", "numpy.random", "rich", "pickletools"),
)
_WITH_TORCH = (
    *_COMMANDS,
    *(f"pi_bench.cli.{name}" for name in ("export", "recipes", "reduce", "train", "training_options")),
    *("pi_bench.models.merging", "pi_bench.models.recipe_export", "pi_bench.models.reduction.search_job"),
    *("pi_bench.models.reduction.worker", "pi_bench.models.training.train_recipe"),
    *("pi_bench.network.equalization", "pi_bench.network.interchange.onnx_file"),
    *("pi_bench.network.interchange.pt2", "pi_bench.network.interchange.source"),
    *("pi_bench.network.lowering.tracing", "pi_bench.report.export"),
    *("torch._dynamo", "torch.distributed.run", "torch.export._trace"),
    "torch.fx.experimental.symbolic_shapes",
)
_OF_TORCH = ("export", "train", "reduce")
"""The commands of pi-bench whose work imports torch."""

PREPARED = {
    "pi_bench": _COMMANDS,
    "pi_bench.launch.client_process": _PARTIES,
    "pi_bench.launch.server_process": _PARTIES,
    "pytest": (
        *_COMMANDS,
        *("pi_bench.python_interface", "pi_bench.pytest_plugin"),
        *("pytest", "pytest_benchmark.plugin", "xdist.plugin", "_hypothesis_pytestplugin", "unittest.mock"),
    ),
    "pi_bench.models.reduction.worker": _WITH_TORCH,
    "torch.distributed.run": _WITH_TORCH,
}
"""The modules that are started as forks, with those that are imported before."""

OPTIONS = ([], ["-P"], ["-u"], ["-X", "faulthandler"])
"""The options of Python that a fork can have."""

_START_OTHERS = ("latency", "serve", "compare", "sweep", "accuracy", "costs", "micro", "reduce", "infer")
"""The commands of pi-bench that start processes."""

_OF_THREADS = ("OMP_", "OPENBLAS_", "MKL_")
"""Variables that numpy's libraries read at the start. A party that is forked inside of a fork keeps its
command's number of threads there. Parties compute in native code, and a message gives them its number."""

_ONE_THREAD = {f"{prefix}NUM_THREADS": "1" for prefix in _OF_THREADS}
"""Variables of the one server of modules that import torch. Trainings give torch its number of threads."""

_READ_AT_START = ("PYTHON", "LANG", "LC_", "LD_", "GLIBC_", "MALLOC_", "PI_BENCH_ISA", *_OF_THREADS)
_PR_SET_CHILD_SUBREAPER = 36
_SERVER = Path(__file__).parent / "fork_server.py"
_ROOM = "-" * 1000  # for the words of a fork, which take the place of the server's
_libc = ctypes.CDLL(None, use_errno=True)


class ForkServer:
    """One process that has imported `modules`, and forks itself.

    Args:
        connection: the socket to it.
        process: the process itself, where this process has started it as a new interpreter.

    Attributes:
        is_usable: False after an interruption of `start`, which may leave an answer behind.
    """

    def __init__(
        self,
        connection: socket.socket,
        modules: tuple[str, ...],
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self._connection, self.modules, self.process = connection, modules, process
        self.is_usable = True

    @classmethod
    def started(cls, modules: tuple[str, ...], environment: dict[str, str]) -> ForkServer:
        """Starts a new interpreter with these variables."""
        connection, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_SERVER), str(theirs.fileno()), ",".join(modules), _ROOM],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C in the terminal is for pytest and for the forks
            )
        return cls(connection, modules, process)

    def start(self, request: dict[str, Any], files: list[int]) -> int:
        """Returns the process id of a fork, which is a child of this process."""
        data = json.dumps(request).encode()
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            socket.send_fds(self._connection, [len(data).to_bytes(8, "little")], files)
            self._connection.sendall(data)
            pid = int.from_bytes(self._connection.recv(8, socket.MSG_WAITALL), "little")
        except BaseException:  # an interruption: the answer would be taken for that of the next request
            self.is_usable = False
            raise
        finally:
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if not pid:
            raise OSError(f"no process was forked for {request['module']}")
        return pid

    def close(self) -> None:
        """Ends the server; its forks live on."""
        self._connection.close()
        if self.process is not None:
            self.process.wait()


class ForkedStarts:
    """The servers of this process: one for each set of modules and of variables read at the start.

    Args:
        only: the one server of a process that is a fork itself.
    """

    def __init__(self, only: ForkServer | None = None) -> None:
        self.suspended = False
        self.servers: dict[Any, ForkServer] = {}
        self._guard = threading.Lock()
        self._only = only
        self._python = _of_python(os.environ)
        self._others = _variables(os.environ, *set(_READ_AT_START).difference(_OF_THREADS))

    def pid(self, given: dict[str, Any]) -> int | None:
        """Starts the process of `Popen._execute_child` with these arguments; None if no fork can be it."""
        words = (
            [os.fsdecode(word) for word in given["args"]] if isinstance(given["args"], list | tuple) else []
        )
        options = words[1 : words.index("-m")] if "-m" in words else None
        if words[:1] != [sys.executable] or options not in OPTIONS:
            return None
        module, *rest = words[2 + len(options) :]
        environment = dict(os.environ if given["env"] is None else given["env"])
        usual = (given["executable"], given["preexec_fn"], given["shell"], given["umask"], given["close_fds"])
        if (
            module not in PREPARED
            or usual != (None, None, False, -1, True)
            or _of_python(environment) != self._python
            or any((folder / "sitecustomize.py").exists() for folder in map(Path, _path(environment)))
        ):
            return None
        streams = zip((given["p2cread"], given["c2pwrite"], given["errwrite"]), range(3), strict=True)
        files = [number if file == -1 else file for file, number in streams] + list(given["pass_fds"])
        request = {
            "module": module,
            "command": words,
            "words": rest,
            "starts": module in ("pytest", "torch.distributed.run")
            or (module == "pi_bench" and not {*rest[:1]}.isdisjoint(_START_OTHERS)),
            "from_folder": options != ["-P"],
            "path": _path(environment),
            "unbuffered": options == ["-u"],
            "tells_faults": "faulthandler" in options,
            "environment": environment,
            "folder": os.fsdecode(given["cwd"] or os.getcwd()),
            "cores": sorted(os.sched_getaffinity(0)),
            "session": given["start_new_session"],
            "group": os.getpgrp() if given["process_group"] == -1 else given["process_group"],
            "parent": os.getpid(),
            "files": [0, 1, 2, *given["pass_fds"]],
        }
        with self._guard:
            of_torch = module == "pi_bench" and not {*rest[:1]}.isdisjoint(_OF_TORCH)
            server = self._server(_WITH_TORCH if of_torch else PREPARED[module], environment)
            return None if server is None else server.start(request, files)

    def _server(self, modules: tuple[str, ...], environment: dict[str, str]) -> ForkServer | None:
        if self._only is not None:
            others = _variables(environment, *set(_READ_AT_START).difference(_OF_THREADS))
            fits = set(modules) <= set(self._only.modules) and others == self._others
            return self._only if fits and self._only.is_usable else None
        environment = environment | (_ONE_THREAD if modules is _WITH_TORCH else {})
        environment.pop("PYTHONPATH", None)  # each fork puts its own folders on its path
        key = (modules, tuple(sorted(_variables(environment, *_READ_AT_START).items())))
        if key not in self.servers or not self.servers[key].is_usable:
            self.servers[key] = ForkServer.started(modules, environment)
        return self.servers[key]

    def close(self) -> None:
        """Ends every server."""
        for server in self.servers.values():
            server.close()


def _variables(environment: Any, *prefixes: str) -> dict[str, str]:
    """Returns the variables with these prefixes but PYTHONBREAKPOINT, which Ray sets and no start reads."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(prefixes) and name != "PYTHONBREAKPOINT"
    }


def _of_python(environment: Any) -> dict[str, str]:
    found = _variables(environment, "PYTHON")
    found.pop("PYTHONPATH", None)
    return found


def _path(environment: Any) -> list[str]:
    return [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]


def install(starts: ForkedStarts) -> Callable[[], None]:
    """Lets `subprocess.Popen` fork where it can, until the returned function is called."""
    execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]
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

    def restore() -> None:
        subprocess.Popen._execute_child = execute  # type: ignore[attr-defined]

    subprocess.Popen._execute_child = _execute_child  # type: ignore[attr-defined]
    return restore


@contextlib.contextmanager
def forked_starts() -> Iterator[ForkedStarts]:
    """Lets `subprocess.Popen` fork where it can, inside of the context."""
    starts = ForkedStarts()
    restore = install(starts)
    try:
        yield starts
    finally:
        restore()
        starts.close()
