"""Starts the two parties, receives from both, and ends both in every case."""

from __future__ import annotations

import selectors
import time
from collections.abc import Mapping
from typing import Any, NoReturn, Self

import numpy as np

from pi_bench.errors import ConnectionFailedError, PeerGaveUpError, PiBenchError
from pi_bench.launch.control import ControlClosedError, ControlStalledError
from pi_bench.launch.party_process import Message, PartyProcess, Watchdog
from pi_bench.launch.placement import Placement
from pi_bench.protocol import Party

START_TIMEOUT_S = 60.0  # of a party: Python's start, its imports and its part of the model
_SECOND_FAILURE_S = 1.0  # how long the other party's error is waited for when one has failed


class Parties:
    """The running parties. Leaving the context ends them all.

    Args:
        silence_s: how long a party that is waited for may neither send a message nor compute.

    ```python
    def start_both() -> None:
        with Parties(Placement(1, (), ()), silence_s=120.0) as parties:
            for party in Party:
                parties.start(party)
                parties.receive(party, "started", START_TIMEOUT_S)
    ```
    """

    def __init__(self, placement: Placement, silence_s: float) -> None:
        self._placement = placement
        self._silence_s = silence_s
        self._running: dict[Party, PartyProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end()
        except KeyboardInterrupt:  # it may have come before a party was told to end
            self._end()
            raise

    def start(self, party: Party) -> PartyProcess:
        """Starts the process of a party."""
        self._running[party] = PartyProcess(party, self._placement, self._silence_s)
        return self._running[party]

    def send(
        self,
        party: Party,
        kind: str,
        meta: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Sends a message to a party.

        Raises:
            PiBenchError: either party failed. Of two errors it is the one that says most.
        """
        process = self._running[party]
        try:
            process.control.send(kind, meta, arrays)
        except ControlStalledError:
            self._fail(party, process.stall())
        except ControlClosedError:
            error = _read_failure(process)
            while error is None:
                error = _read_failure(process)
            self._fail(party, error)

    def receive(
        self, party: Party, kind: str, timeout_s: float | None = None
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Receives the next message of `party`, which must be of `kind`, within `timeout_s` if that is
        given.

        Raises:
            PiBenchError: either party failed; of two errors the one that says most, with the party's name
                where two run.
            ConnectionFailedError: nothing came in time, or `party` makes no progress.
        """
        process = self._running[party]
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        watchdog = Watchdog(process)
        while not process.messages:
            if deadline is not None and time.monotonic() >= deadline:
                raise ConnectionFailedError(
                    f"the {party} process was not ready within {timeout_s:g} s: the machine may be busy; "
                    "wait longer with --timeout"
                )
            left = watchdog.interval_s if deadline is None else deadline - time.monotonic()
            if not self._read_ready(min(watchdog.interval_s, max(0.0, left))) and watchdog.over():
                self._fail(party, process.stall())
        got, meta, arrays = process.messages.popleft()
        if got != kind:
            raise RuntimeError(f"the {party} process sent {got!r} where {kind!r} was due")
        return meta, arrays

    def next_message(self, party: Party) -> Message:
        """Receives the next message of `party`, of any kind, whenever it comes. Raises the error of either
        party.
        """
        while not self._running[party].messages:
            self._read_ready(None)
        return self._running[party].messages.popleft()

    def _end(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.reap()

    def _read_ready(self, timeout_s: float | None) -> bool:
        """Reads the messages that are there, and tells whether there was any within `timeout_s`."""
        ready = self._ready(timeout_s)
        for process in ready:
            self._read(process)
        return bool(ready)

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
        except ControlStalledError:
            self._fail(process.party, process.stall())
        except Exception as error:
            self._fail(process.party, error)

    def _fail(self, party: Party, error: Exception) -> NoReturn:
        """Raises the failure that says most: one party's error often is the other's lost connection."""
        failures = [(party, error)]
        deadline = time.monotonic() + _SECOND_FAILURE_S
        others = [process for process in self._running.values() if process.party is not party]
        failures[:0] = [(other.party, other.stall()) for other in others if other.stopped]
        while others and len(failures) == 1 and (left := deadline - time.monotonic()) > 0:
            with selectors.DefaultSelector() as selector:
                selector.register(others[0].control, selectors.EVENT_READ)
                if selector.select(left):
                    found = _read_failure(others[0])
                    if found is not None:
                        failures.append((others[0].party, found))
        failing, best = min(failures, key=lambda failure: _rank(failure[1]))
        whose = f"{failing}: " if others else ""  # the only party needs no name
        if isinstance(best, PiBenchError):
            raise type(best)(f"{whose}{best}") from None
        raise RuntimeError(f"{whose}{best}") from None


def _read_failure(process: PartyProcess) -> Exception | None:
    """Returns the error in the next message, or None if it is another message."""
    try:
        process.messages.append(process.control.receive())
    except ControlClosedError:
        return process.death()
    except ControlStalledError:
        return process.stall()
    except Exception as error:
        return error
    return None


def _rank(error: Exception) -> int:
    """Ranks causes before consequences."""
    if not isinstance(error, PiBenchError):
        return 0
    if not isinstance(error, ConnectionFailedError):
        return 2 if isinstance(error, PeerGaveUpError) else 1
    return 4 if "the other party" in str(error) else 3
