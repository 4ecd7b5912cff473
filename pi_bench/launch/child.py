"""Starts a party process: it ends with its launcher, keeps to its cores, and reports its errors."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable

from pi_bench.errors import PiBenchError
from pi_bench.launch.control import ControlClosedError, ControlPipe, error_fields
from pi_bench.launch.logs import start_logging
from pi_bench.launch.placement import pin

_PR_SET_PDEATHSIG = 1


def run_party(party: Callable[[ControlPipe], None]) -> int:
    """Runs the main function of a party process, and returns its exit code.

    Its command line is ``--control-fd N --launcher PID [--cores 0,1] …``.

    ```python
    def party(control: ControlPipe) -> None:
        kind, meta, arrays = control.receive()

    def main() -> None:
        sys.exit(run_party(party))
    ```
    """
    parser = argparse.ArgumentParser(prog="party", description="Started by pi-bench, not by hand.")
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--launcher", type=int, required=True)
    parser.add_argument("--cores", default="")
    parser.add_argument("--verbosity", type=int, default=0)
    parser.add_argument("--name", default="party")
    arguments = parser.parse_args()
    die_with_launcher(arguments.launcher)
    start_logging(arguments.verbosity, arguments.name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher hears Ctrl-C and ends both parties
    pin(tuple(int(core) for core in arguments.cores.split(",") if core))
    control = ControlPipe.from_fd(arguments.control_fd)
    gc.freeze()  # imported objects are never garbage; collections in a timed phase stay short
    sys.setswitchinterval(0.0005)  # the sender thread gets its turn while the protocol computes
    try:
        control.send("started", {})
        party(control)
    except ControlClosedError:
        return 1  # the launcher is gone, nobody listens
    except PiBenchError as error:
        _tell(control, error)
        return error.exit_code
    except Exception as error:
        if os.environ.get("PI_BENCH_TRACEBACK"):
            raise
        _tell(control, error)
        return 1
    return 0


def die_with_launcher(launcher: int) -> None:
    """Makes the kernel end this process when its launcher ends, in whatever way. So no orphan is left.

    Args:
        launcher: process id of the parent.

    ```python
    def start_of_a_child(parent: int) -> None:
        die_with_launcher(parent)
    ```
    """
    with contextlib.suppress(OSError, AttributeError):  # Linux alone; elsewhere the pipe's end tells
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != launcher:  # it ended before the call above
        os._exit(1)


def _tell(control: ControlPipe, error: Exception) -> None:
    with contextlib.suppress(ControlClosedError):
        control.send("error", error_fields(error))
