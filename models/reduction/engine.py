"""Engines, which run the jobs of a search. All of them are used through `run_jobs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from pi_bench.progress import Progress

from .job import Job, JobOutcome, outcome_of, stored

RETRY_COUNT = 3
"""The number of times that a job is run again, from its last checkpoint, after its process died."""


class Engine(Protocol):
    """A context that runs jobs in other processes. Leaving the context ends these processes.

    >>> from pi_bench.models.reduction.job import perform
    >>> class InProcess:
    ...     def __enter__(self):
    ...         return self
    ...     def __exit__(self, kind, error, trace):
    ...         pass
    ...     def run(self, jobs, progress):
    ...         for job in jobs:
    ...             yield job, perform(job.to_json(), progress)
    >>> with InProcess() as engine:
    ...     list(engine.run([], print))
    []
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, jobs: Sequence[Job], progress: Progress) -> Iterator[tuple[Job, str]]:
        """Yields each job with its answer (`job.perform`) when it ends, in any order.

        Raises:
            TrainingError: The process of a job died more than `RETRY_COUNT` times.
        """
        ...


class Announce(Protocol):
    """A listener that is called with each outcome, and whether this run computed it.

    >>> def announce(outcome: JobOutcome, fresh: bool) -> None:
    ...     print(outcome.job.name, "trained" if fresh else "from an earlier run")
    """

    def __call__(self, outcome: JobOutcome, fresh: bool) -> None: ...


def run_jobs(
    engine: Engine, jobs: Sequence[Job], progress: Progress, announce: Announce
) -> dict[str, JobOutcome]:
    """Runs jobs and returns their outcomes by name, in the order of the jobs, whichever ended first.

    Jobs that ended in an earlier run are not repeated.

    Args:
        announce: called with each outcome, and whether this run computed it.

    Raises:
        PiBenchError: A job failed for a reason that other jobs share, such as a full disk or missing data. A
            training that diverged is an outcome and raises nothing.

    >>> class Answers:
    ...     def run(self, jobs, progress):
    ...         return ((job, '{"result": {"test_accuracy_pct": 91.0}}') for job in jobs)
    >>> job = Job("train", "teacher", "/nowhere/teacher", {})
    >>> run_jobs(Answers(), [job], print, lambda outcome, fresh: None)["teacher"].result
    {'test_accuracy_pct': 91.0}
    """
    outcomes: dict[str, JobOutcome] = {}
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
    return {job.name: outcomes[job.name] for job in jobs}
