"""Engines: where the jobs of a search run. One code path for all of them, `run_jobs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from pi_bench.progress import Progress

from .job import Job, Outcome, outcome_of, stored

RETRY_COUNT = 3
"""How often a job whose process died is run again, from its last checkpoint."""


class Engine(Protocol):
    """Runs jobs in other processes. A context: leaving it ends them all."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, jobs: Sequence[Job], progress: Progress) -> Iterator[tuple[Job, str]]:
        """Each job with its answer (`job.perform`), as they end, in any order.

        Raises:
            TrainingError: a job's process died again and again.
        """
        ...


class Announce(Protocol):
    def __call__(self, outcome: Outcome, fresh: bool) -> None: ...


def run_jobs(
    engine: Engine, jobs: Sequence[Job], progress: Progress, announce: Announce
) -> dict[str, Outcome]:
    """The outcome of each job by its name; jobs that ended in an earlier run are not run again.

    Args:
        announce: told each outcome, and whether this run computed it.

    Raises:
        PiBenchError: a job met something that others would meet too (a full disk, no memory, no data). A
            diverged training is an outcome.
    """
    outcomes: dict[str, Outcome] = {}
    waiting = []
    for job in jobs:
        outcome = stored(job)
        if outcome is None:
            waiting.append(job)
        else:
            outcomes[job.name] = outcome
            announce(outcome, False)
    if waiting:
        for job, answer in engine.run(waiting, progress):
            outcomes[job.name] = outcome_of(job, answer)
            announce(outcomes[job.name], True)
    return outcomes
