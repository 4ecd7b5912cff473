"""Runs Python modules as ``python -m`` does, in forks of a process that has imported what they import.

`tests.forked_starts` starts it by its path. Every started process is one of its own: it has the words, the
environment, the folder and the files that it would have, and becomes a child of the process that asked.

A fork that starts processes itself (`request["starts"]`) has a child that serves it, forked before it ran a
line of its module: the parties of a command that is a fork are forks as well.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import faulthandler
import fcntl
import gc
import importlib
import importlib.util
import io
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

_HIGH = 256  # received files wait here until the low numbers are free
_MOST_FILES = 64


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Returns the next request and its files. Ends the process if there is none any more."""
    head, files, _, _ = socket.recv_fds(connection, 8, _MOST_FILES)
    if not head:
        os._exit(0)  # without what `sys.exit` does to each imported module
    size = int.from_bytes(head + _exactly(connection, 8 - len(head)), "little")
    request: dict[str, Any] = json.loads(_exactly(connection, size))
    return request, files


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            os._exit(0)
        parts += part
    return bytes(parts)


def next_start(connection: socket.socket) -> dict[str, Any]:
    """Answers requests, and returns one of them in the process that was forked for it.

    The process is forked twice: when the one between ends, the kernel gives the other to the asking process,
    which has declared itself the reaper of its descendants. If it no longer is the reaper, the other ends.
    """
    while True:
        request, files = receive(connection)
        child = os.fork()
        if child:
            for file in files:
                os.close(file)
            os.waitpid(child, 0)
            continue
        between = os.getpid()
        if os.fork():
            os._exit(0)
        reply = fcntl.fcntl(connection.detach(), fcntl.F_DUPFD, _HIGH)
        answer = 0
        try:
            while os.getppid() == between:
                time.sleep(0.0005)
            if os.getppid() != request["parent"]:
                raise ChildProcessError("the process that asked was interrupted, or has ended")
            become(request)
            place_files(files, request["files"], unbuffered=request["unbuffered"])
            take_words(request["command"])
            if request["tells_faults"]:
                faulthandler.enable()
            answer = os.getpid()
        finally:
            os.write(reply, answer.to_bytes(8, "little"))
            if not answer:
                os._exit(1)
        os.closerange(_HIGH, max(reply, _HIGH + len(files)) + 1)
        return request


def become(request: dict[str, Any]) -> None:
    """Takes the folder, the environment, the cores and the process group of the request."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.sched_setaffinity(0, request["cores"])
    if request["session"]:
        os.setsid()
    elif request["group"] is not None:
        os.setpgid(0, request["group"])


def take_words(command: list[str]) -> None:
    """Shows these words as the command line of the process, as far as the server's own words had room."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end of proc(5)
    words = b"".join(os.fsencode(word) + b"\0" for word in command)[: end - start - 1]
    ctypes.memmove(start, words.ljust(end - start, b"\0"), end - start)


def place_files(files: list[int], numbers: list[int], *, unbuffered: bool) -> None:
    """Gives the files their numbers, closes every other low one, and makes the standard streams anew."""
    waiting = [fcntl.fcntl(file, fcntl.F_DUPFD, _HIGH) for file in files]
    os.closerange(3, _HIGH)
    for file, number in zip(waiting, numbers, strict=True):
        os.dup2(file, number, inheritable=True)
    sys.stdin = sys.__stdin__ = _stream(0, sys.__stdin__)
    sys.stdout = sys.__stdout__ = _stream(1, sys.__stdout__, unbuffered=unbuffered)
    sys.stderr = sys.__stderr__ = _stream(2, sys.__stderr__, unbuffered=unbuffered)


def _stream(number: int, like: Any, *, unbuffered: bool = False) -> io.TextIOWrapper:
    """Returns a stream as Python makes it at its start, with the encoding that it has chosen."""
    writes, buffered = number > 0, not (like.write_through or unbuffered)
    binary: Any = io.FileIO(number, "w" if writes else "r", closefd=False)
    if not writes:
        binary = io.BufferedReader(binary)
    elif buffered:
        binary = io.BufferedWriter(binary)
    lines = buffered and (number == 2 or os.isatty(number))
    return io.TextIOWrapper(
        binary,
        encoding=like.encoding,
        errors=like.errors,
        newline="\n",
        line_buffering=lines,
        write_through=not buffered,
    )


def serve_a_fork(starts: Any, modules: tuple[str, ...]) -> dict[str, Any] | None:
    """Gives this fork a server that is its child, and lets its `subprocess` start forks of that.

    Returns None here, and later, in each of those forks, the request for it.
    """
    ours, theirs = socket.socketpair()
    if os.fork():
        theirs.close()
        starts.install(starts.ForkedStarts(starts.ForkServer(ours, modules)))
        return None
    nowhere, connection = os.open(os.devnull, os.O_RDWR), fcntl.fcntl(theirs.detach(), fcntl.F_DUPFD, _HIGH)
    os.setpgid(0, 0)  # Ctrl-C is for the fork that it serves
    for number in range(3):
        os.dup2(nowhere, number)
    os.closerange(3, _HIGH)
    take_words([sys.executable, __file__])
    return next_start(socket.socket(fileno=connection))


def main() -> None:
    """Imports the modules of the command line, and serves the socket whose number it begins with."""
    connection, modules = socket.socket(fileno=int(sys.argv[1])), tuple(sys.argv[2].split(","))
    for name in modules:
        importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(
        "forked_starts", Path(__file__).with_name("forked_starts.py")
    )
    starts = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(starts)  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.collect()
    gc.freeze()  # so that a collection in a fork does not copy the pages of these objects
    request = next_start(connection)
    while request["starts"] and (inner := serve_a_fork(starts, modules)):
        request = inner
    gc.unfreeze()
    sys.path[:0] = [folder for folder in request["path"] if folder not in sys.path]
    if request["from_folder"]:
        sys.path.insert(0, os.getcwd())
    sys.argv = ["-m", *request["words"]]
    sys.modules.pop(request["module"], None)  # it is run, as the main module
    code: object = None
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    leave(code)


def leave(code: object) -> NoReturn:
    """Ends as Python does, but does not take each imported module apart, which takes 0.1 s."""
    if code is None or isinstance(code, int):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError, ValueError):  # a lost reader: Python says so, and has a code for it
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit((code or 0) & 0xFF)
    sys.exit(code)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
