"""Starts the two parties, hears both, and ends both whatever happens."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NoReturn, Self

import numpy as np

from pi_bench.errors import ConnectionFailedError, PiBenchError
from pi_bench.launch.control import ControlClosedError, ControlPipe
from pi_bench.launch.placement import Placement, thread_environment
from pi_bench.protocol import Party

_MODULES = {
    Party.CLIENT: "pi_bench.launch.client_process",
    Party.SERVER: "pi_bench.launch.server_process",
}
START_TIMEOUT_S = 60.0  # of a party: Python's start, its imports and its share of the model
_STOP_S = 2.0
_SECOND_FAILURE_S = 1.0  # how long the other party's error is waited for when one has failed

Message = tuple[str, dict[str, Any], dict[str, np.ndarray]]


class PartyProcess:
    """One party and the pipe to it."""

    def __init__(self, party: Party, placement: Placement) -> None:
        here, there = socket.socketpair()
        cores = placement.client_cores if party is Party.CLIENT else placement.server_cores
        with there:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", _MODULES[party]),
                    *("--control-fd", str(there.fileno()), "--launcher", str(os.getpid())),
                    *(("--cores", ",".join(map(str, cores))) if cores else ()),
                ],
                pass_fds=[there.fileno()],
                env={**os.environ, **thread_environment(placement.threads)},
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C in the terminal goes to the launcher alone, which ends both
            )
        self.party = party
        self.control = ControlPipe(here, START_TIMEOUT_S)
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

    def wait(self) -> None:
        self._process.wait()

    def terminate(self) -> None:
        self.control.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def reap(self) -> None:
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Parties:
    """The running parties; leaving the context ends them all."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._running: dict[Party, PartyProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.reap()

    def start(self, party: Party) -> PartyProcess:
        self._running[party] = PartyProcess(party, self._placement)
        return self._running[party]

    def send(
        self,
        party: Party,
        kind: str,
        meta: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        process = self._running[party]
        try:
            process.control.send(kind, meta, arrays)
        except ConnectionFailedError as stalled:
            self._fail(party, stalled)
        except ControlClosedError:
            error = _read_failure(process)
            while error is None:
                error = _read_failure(process)
            self._fail(party, error)

    def receive(
        self, party: Party, kind: str, timeout_s: float | None = None
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The next message of `party`, which must be of `kind`.

        `timeout_s`: only where the party waits for nobody; otherwise its own time-outs end it.

        Raises:
            PiBenchError: either party failed; the error that says most, with the party's name.
            ConnectionFailedError: nothing came within `timeout_s`.
        """
        got, meta, arrays = self.next_message(party, timeout_s)
        if got != kind:
            raise RuntimeError(f"the {party} process sent {got!r} where {kind!r} was due")
        return meta, arrays

    def receive_last(
        self, kinds: Mapping[Party, str], timeout_s: float
    ) -> dict[Party, tuple[dict[str, Any], dict[str, np.ndarray]]]:
        """What each party sends when it has done its part.

        While both work, their own time-outs end them; once one has finished, the other waits for nobody
        and gets `timeout_s`: it may be frozen, and nobody else would notice. Raises as `receive` does.
        """
        while not any(self._running[party].messages for party in kinds):
            for ready in self._ready(None):
                self._read(ready)
        return {party: self.receive(party, kind, timeout_s) for party, kind in kinds.items()}

    def next_message(self, party: Party, timeout_s: float | None = None) -> Message:
        """The next message of `party`, of any kind; raises as `receive` does."""
        messages = self._running[party].messages
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not messages:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise ConnectionFailedError(f"the {party} process was not ready within {timeout_s:g} s")
            for ready in self._ready(left):
                self._read(ready)
        return messages.popleft()

    def _ready(self, timeout_s: float | None) -> list[PartyProcess]:
        with selectors.DefaultSelector() as selector:
            for process in self._running.values():
                selector.register(process.control, selectors.EVENT_READ, process)
            return [key.data for key, _ in selector.select(timeout_s)]

    def _read(self, process: PartyProcess) -> None:
        try:
            process.messages.append(process.control.receive())
        except ControlClosedError:
            self._fail(process.party, process.death())
        except Exception as error:
            self._fail(process.party, error)

    def _fail(self, party: Party, error: Exception) -> NoReturn:
        """Raises the failure that says most: one party's error often is the other's lost connection."""
        failures = [(party, error)]
        deadline = time.monotonic() + _SECOND_FAILURE_S
        others = [process for process in self._running.values() if process.party is not party]
        while others and len(failures) == 1 and (left := deadline - time.monotonic()) > 0:
            with selectors.DefaultSelector() as selector:
                selector.register(others[0].control, selectors.EVENT_READ)
                if selector.select(left):
                    found = _read_failure(others[0])
                    if found is not None:
                        failures.append((others[0].party, found))
        failing, best = min(failures, key=lambda failure: _rank(failure[1]))
        if isinstance(best, PiBenchError):
            raise type(best)(f"{failing}: {best}") from None
        raise RuntimeError(f"{failing}: {best}") from None


def _read_failure(process: PartyProcess) -> Exception | None:
    """The error in the next message, or None if it is another message."""
    try:
        process.messages.append(process.control.receive())
    except ControlClosedError:
        return process.death()
    except Exception as error:
        return error
    return None


def _rank(error: Exception) -> int:
    """Causes before consequences."""
    if not isinstance(error, PiBenchError):
        return 0
    if not isinstance(error, ConnectionFailedError):
        return 2 if "gave up" in str(error) else 1
    return 4 if "the other party" in str(error) else 3
