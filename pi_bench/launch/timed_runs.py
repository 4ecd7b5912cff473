"""Leads two parties through warm-up and timed runs, wherever the server is."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from pi_bench.errors import PiBenchError, interruption_code
from pi_bench.launch.measurement import LatencyOptions, Measurement, Run
from pi_bench.launch.processes import Parties
from pi_bench.launch.stopping import Stopping, stopwatch
from pi_bench.progress import Progress

_log = logging.getLogger(__name__)


class RunningSession(ABC):
    """The runs of one session, and a context that ends the processes that this launcher started.

    Attributes:
        measurement: the results so far. It exists from the start of the context on.

    Raises:
        PiBenchError: a party failed; the message names it.

    ```python
    def two_latencies_s(session: RunningSession) -> list[float]:
        with session:
            runs = [session.run() for _ in range(2)]
            session.end()
        return [run.latency_s for run in runs]
    ```
    """

    keeps_runs_of_failures = False
    """Whether a measurement that fails after a timed run keeps its runs."""

    def __init__(self, parties: Parties, stopping: Stopping) -> None:
        self._parties = parties
        self.stopping = stopping
        self._measurement: Measurement | None = None

    @property
    @abstractmethod
    def options(self) -> LatencyOptions:
        """The options of the measurement. They exist from the start of the context on."""

    @property
    def measurement(self) -> Measurement:
        """The results so far. They exist from the start of the context on."""
        assert self._measurement is not None, "the context has not started"
        return self._measurement

    def __enter__(self) -> Self:
        self._parties.__enter__()
        try:
            self._measurement = self._start()
        except BaseException:
            self._parties.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._parties.__exit__(*error)

    def run(self, *, timed: bool = True) -> Run:
        """Preprocesses, runs and checks once, and adds the run to `measurement`.

        An untimed run that is wrong is added too: a wrong warm-up is a wrong run.
        """
        measurement = self.measurement
        run, logits = self._run_once()
        _log.info(
            "%s: offline %.4f s, online %.4f s, %s",
            *("run" if timed else "warm-up", run.offline_s, run.latency_s),
            "WRONG" if not run.passed else "not verified" if run.verdict is None else "verified",
        )
        if not timed:
            measurement.warmup_s.append(run.latency_s)
        if timed or not run.passed:
            measurement.logits = logits
            measurement.runs.append(run)
        return run

    def warm_up(self, progress: Progress) -> bool:
        """Runs untimed until the options say that it is enough. Returns whether no run was wrong."""
        stopping, done = self.stopping, self.measurement.warmup_s
        while not stopping.warm(done):
            progress("warm-up", len(done), stopping.most)
            if not self.run(timed=False).passed:
                return False
        return True

    @abstractmethod
    def end(self) -> None:
        """Ends the session between the parties, who compare their checksums."""

    @abstractmethod
    def _start(self) -> Measurement:
        """Starts the processes, and returns the measurement without runs."""

    @abstractmethod
    def _run_once(self) -> tuple[Run, np.ndarray]:
        """Preprocesses, runs and checks once. Returns the run and its logits."""


def measure_session(session: RunningSession, progress: Progress) -> Measurement:
    """Measures warm-up and timed runs in a session.

    Ctrl-C after the first timed run ends the measurement with the runs that have finished. So does a failure,
    if the session keeps the runs of failures.

    Raises:
        PiBenchError: a party failed; the message names it.
        KeyboardInterrupt: no timed run has finished.

    ```python
    from pi_bench.progress import silent

    def run_count(session: RunningSession) -> int:
        return len(measure_session(session, silent).runs)
    ```
    """
    measurement: Measurement | None = None
    try:
        progress("starting both parties", 0, session.stopping.most)
        with session:
            measurement = session.measurement
            if session.warm_up(progress):
                _run_timed(session, progress)
            session.end()
        progress("runs finished", 1, 1)
    except KeyboardInterrupt as interruption:
        if measurement is None or not measurement.runs:
            raise
        measurement.interruption = interruption_code(interruption)
    except PiBenchError as error:
        if measurement is None or not measurement.runs or not session.keeps_runs_of_failures:
            raise
        measurement.failure = error
    return measurement


def _run_timed(session: RunningSession, progress: Progress) -> None:
    """Runs until the options say that it is enough, or a run is wrong."""
    stopping, untimed, elapsed_s = session.stopping, len(session.measurement.warmup_s), stopwatch()
    latencies_s: list[float] = []
    while not stopping.enough(latencies_s, elapsed_s()):
        done = untimed + len(latencies_s)
        progress("run", done, max(done, untimed + stopping.runs))
        run = session.run()
        latencies_s.append(run.latency_s)
        if not run.passed:
            return
