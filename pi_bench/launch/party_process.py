"""One party as a process: starting it, hearing it, knowing whether it lives."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from pi_bench.errors import ConnectionFailedError, PiBenchError
from pi_bench.launch.control import ControlPipe
from pi_bench.launch.logs import verbosity
from pi_bench.launch.placement import Placement, thread_environment
from pi_bench.protocol import Party

_MODULES = {
    Party.CLIENT: "pi_bench.launch.client_process",
    Party.SERVER: "pi_bench.launch.server_process",
}
_STOP_S = 2.0
_log = logging.getLogger(__name__)
_LAST_WORD_S = 1.0  # a party's own time-out says more than the launcher's, so it comes first

Message = tuple[str, dict[str, Any], dict[str, np.ndarray]]


class PartyProcess:
    """One party and the pipe to it. `silence_s`: how long it may neither speak nor compute."""

    def __init__(self, party: Party, placement: Placement, silence_s: float) -> None:
        here, there = socket.socketpair()
        cores = placement.client_cores if party is Party.CLIENT else placement.server_cores
        with there:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", _MODULES[party]),
                    *("--control-fd", str(there.fileno()), "--launcher", str(os.getpid())),
                    *("--verbosity", str(verbosity()), "--name", str(party)),
                    *(("--cores", ",".join(map(str, cores))) if cores else ()),
                ],
                pass_fds=[there.fileno()],
                env={**os.environ, **thread_environment(placement.threads)},
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C in the terminal goes to the launcher alone, which ends both
            )
        _log.info("the %s process is started, process %d, cores %s", party, self._process.pid, cores or "any")
        self.party = party
        self.control = ControlPipe(here)
        self.control.set_stall(silence_s + _LAST_WORD_S)
        self.silence_s = silence_s
        self.messages: deque[Message] = deque()

    @property
    def pid(self) -> int:
        return self._process.pid

    def death(self) -> PiBenchError:
        """Why the pipe is closed."""
        try:
            code = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            code = 0
        if code < 0:
            how = f"was killed ({signal.Signals(-code).name})"
            if code == -signal.SIGKILL:
                how += "; the system may have run out of memory"
        else:
            how = f"ended without a word (exit code {code})"
        return ConnectionFailedError(f"the {self.party} process {how}")

    def stall(self) -> PiBenchError:
        """What is said of a party that lives and does nothing."""
        how = "is stopped (SIGSTOP)" if self.stopped else f"has done nothing for {self.silence_s:g} s"
        return ConnectionFailedError(
            f"the {self.party} process {how}; --timeout bounds how long that is borne"
        )

    @property
    def stopped(self) -> bool:
        """Whether a signal or a debugger has stopped it."""
        fields = self._stat()
        return bool(fields) and fields[0] in "Tt"

    def cpu_ticks(self) -> int:
        """Computing time of all its threads so far, in clock ticks; 0 where the system does not tell."""
        fields = self._stat()
        return int(fields[11]) + int(fields[12]) if fields else 0

    def _stat(self) -> list[str]:
        try:  # proc(5): fields after the command's name, the state first
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return []

    def wait(self) -> None:
        self._process.wait()

    def terminate(self) -> None:
        self.control.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)  # a stopped one would not hear the other

    def reap(self) -> None:
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Watchdog:
    """Notices that a party which is waited for neither speaks nor computes.

    That is a stopped process, or two that wait for each other's stopped one. A slow party computes, and
    one that waits in vain has a time-out of its own, which ends first.
    """

    def __init__(self, process: PartyProcess) -> None:
        self._process = process
        self._limit_s = process.silence_s + _LAST_WORD_S
        self._ticks = process.cpu_ticks()
        self._since = time.monotonic()

    @property
    def interval_s(self) -> float:
        """How often to ask."""
        return self._limit_s / 4

    def over(self) -> bool:
        """Whether it has done nothing for too long."""
        ticks, now = self._process.cpu_ticks(), time.monotonic()
        if ticks != self._ticks:
            self._ticks, self._since = ticks, now
        return now - self._since >= self._limit_s
