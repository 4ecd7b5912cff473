"""Leads two parties through warm-up and timed runs, wherever the server is."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np

from pi_bench.errors import PiBenchError, interruption_code
from pi_bench.launch.measurement import LatencyOptions, Measurement, Run
from pi_bench.launch.processes import Parties
from pi_bench.launch.stopping import Stopping, stopwatch
from pi_bench.launch.timelines import InferenceTimelines
from pi_bench.progress import Progress

_log = logging.getLogger(__name__)


class RunningSession(ABC):
    """The runs of one session, and a context that ends the processes that this launcher started.

    Attributes:
        measurement: the results so far. It exists from the start of the context on.
        tracing: whether the timed runs are over, and the traced one has begun.

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
        self.tracing = False

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
        run, logits = self._run_once({})
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

    def trace(self) -> None:
        """Runs once more and keeps the timelines of both parties. The run counts for nothing if it is right.

        A run that is wrong is added to the timed runs, as a wrong warm-up is.
        """
        measurement = self.measurement
        run, logits = self._run_once({"trace": True})
        measurement.timelines = self._timelines()
        measurement.traced = run
        _log.info("traced run: offline %.4f s, online %.4f s", run.offline_s, run.latency_s)
        if not run.passed:
            measurement.logits = logits
            measurement.runs.append(run)

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
    def _run_once(self, fields: dict[str, Any]) -> tuple[Run, np.ndarray]:
        """Preprocesses, runs and checks once. Returns the run and its logits.

        Args:
            fields: those of the message ``run``: ``trace``, or none.
        """

    @abstractmethod
    def _timelines(self) -> InferenceTimelines:
        """Returns the timelines of the last run, which was traced."""


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
            if session.warm_up(progress) and _run_timed(session, progress) and session.options.trace:
                _trace(session, progress)
            session.end()
        progress("runs finished", 1, 1)
    except KeyboardInterrupt as interruption:
        if measurement is None or not measurement.runs:
            raise
        measurement.interruption = interruption_code(interruption)
    except PiBenchError as error:
        keeps = session.keeps_runs_of_failures or session.tracing
        if measurement is None or not measurement.runs or not keeps:
            raise
        measurement.failure = error
    return measurement


def _run_timed(session: RunningSession, progress: Progress) -> bool:
    """Runs until the options say that it is enough, or a run is wrong. Returns whether none was wrong."""
    stopping, untimed, elapsed_s = session.stopping, len(session.measurement.warmup_s), stopwatch()
    latencies_s: list[float] = []
    while not stopping.enough(latencies_s, elapsed_s()):
        done = untimed + len(latencies_s)
        progress("run", done, max(done, untimed + stopping.runs))
        run = session.run()
        latencies_s.append(run.latency_s)
        if not run.passed:
            return False
    return True


def _trace(session: RunningSession, progress: Progress) -> None:
    """Traces one more run. If that fails, the timed runs are kept."""
    session.tracing = True
    done = len(session.measurement.warmup_s) + len(session.measurement.runs)
    progress("traced run", done, done + 1)
    session.trace()
