"""Runs one party as a process: starts it, talks with it, and finds out whether it lives."""

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
from pi_bench.launch.placement import Placement
from pi_bench.protocol import Party
from pi_bench.thread_environment import thread_environment

_MODULES = {
    Party.CLIENT: "pi_bench.launch.client_process",
    Party.SERVER: "pi_bench.launch.server_process",
}
_STOP_S = 2.0
_log = logging.getLogger(__name__)
_LAST_WORD_S = 1.0  # a party's own time-out says more than the launcher's, so it comes first

Message = tuple[str, dict[str, Any], dict[str, np.ndarray]]


class PartyProcess:
    """Process of one party, with the pipe to it.

    Args:
        silence_s: how long it may neither send a message nor compute.

    ```python
    def start_server() -> PartyProcess:
        return PartyProcess(Party.SERVER, Placement(1, (), ()), silence_s=120.0)
    ```
    """

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
        """Process id."""
        return self._process.pid

    def death(self) -> PiBenchError:
        """Returns the error that says why the pipe is closed."""
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
        """Returns the error of a party that lives and makes no progress."""
        how = (
            "is stopped (SIGSTOP); let it continue, or run the command again"
            if self.stopped
            else f"has made no progress for {self.silence_s:g} s (limit set by --timeout)"
        )
        return ConnectionFailedError(f"the {self.party} process {how}")

    @property
    def stopped(self) -> bool:
        """Whether a signal or a debugger has stopped the process."""
        fields = self._stat()
        return bool(fields) and fields[0] in "Tt"

    def cpu_ticks(self) -> int:
        """Returns the computing time of all its threads so far, in clock ticks; 0 if the system does not
        tell.
        """
        fields = self._stat()
        return int(fields[11]) + int(fields[12]) if fields else 0

    def _stat(self) -> list[str]:
        try:  # proc(5): fields after the command's name, the state first
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return []

    def wait(self) -> None:
        """Waits until the process has ended."""
        self._process.wait()

    def terminate(self) -> None:
        """Asks the process to end, even if it is stopped."""
        self.control.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)  # a stopped one would not hear the other

    def reap(self) -> None:
        """Waits until the process has ended, and kills it if that takes too long."""
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # an interrupted wait may have kept its lock
                self._process.wait(_STOP_S)


class Watchdog:
    """Detector of a stalled party: one that sends no message and uses no CPU time while we wait for it.

    It is stopped, because otherwise both parties would wait for each other. A slow party is not stopped,
    because it uses CPU time. A party that waits for a message has a shorter time-out of its own.

    ```python
    import select

    def wait_for_message(process: PartyProcess) -> None:
        watchdog = Watchdog(process)
        while not select.select([process.control], [], [], watchdog.interval_s)[0]:
            if watchdog.over():
                raise process.stall()
    ```
    """

    def __init__(self, process: PartyProcess) -> None:
        self._process = process
        self._limit_s = process.silence_s + _LAST_WORD_S
        self._ticks = process.cpu_ticks()
        self._since = time.monotonic()

    @property
    def interval_s(self) -> float:
        """Seconds between two questions."""
        return self._limit_s / 4

    def over(self) -> bool:
        """Says whether the party has made no progress for too long."""
        ticks, now = self._process.cpu_ticks(), time.monotonic()
        if ticks != self._ticks:
            self._ticks, self._since = ticks, now
        return now - self._since >= self._limit_s
