"""The parts that all searches share: their settings, their folder, and their rounds of trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pi_bench.errors import DivergedError
from pi_bench.progress import Progress

from ..recipe import Recipe
from ..training import TrainingSettings
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine, run_jobs
from .job import Job, Outcome
from .search_folder import claimed
from .training_job import training_job


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The settings that every search has.

    Attributes:
        data_dir: the folder of the data set's archive.
        device: the device of every training, as torch names it.
        threads: threads per training; the results depend on it in their last digits.
        teacher: the folder of an earlier training to distill from. With None, the search makes its own.

    >>> SearchSettings(data_dir=Path("data"), device="cpu", threads=1).teacher is None
    True
    """

    data_dir: Path
    device: str
    threads: int
    teacher: Path | None = None


@dataclass(frozen=True, slots=True)
class Rounds:
    """The trainings of one search in the folder `root`. Those of one round do not depend on each other.

    >>> import tempfile
    >>> settings = SearchSettings(data_dir=Path("data"), device="cpu", threads=1)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     rounds = Rounds(Path(name), None, settings, print, print)
    ...     rounds.run([])
    {}
    """

    root: Path
    engine: Engine
    settings: SearchSettings
    progress: Progress
    announce: Announce

    def training(
        self,
        name: str,
        recipe: Recipe,
        settings: TrainingSettings,
        folder: Path,
        teacher: Path | None = None,
        start: Path | None = None,
    ) -> Job:
        """Returns the job that trains `recipe` in `folder`; the arguments are those of `training_job`."""
        return training_job(
            name,
            recipe,
            settings,
            folder,
            data_dir=self.settings.data_dir,
            device=self.settings.device,
            threads=self.settings.threads,
            teacher=teacher,
            start=start,
        )

    def run(self, jobs: Sequence[Job], announce: Announce | None = None) -> dict[str, Outcome]:
        """Runs one round and returns its outcomes by job name; raises as `run_jobs` does."""
        return run_jobs(self.engine, jobs, self.progress, announce or self.announce)

    def teacher(self, base: Recipe, settings: TrainingSettings) -> tuple[Path, list[Candidate]]:
        """Trains `base` in the folder ``teacher``, unless the search was given a teacher.

        Returns:
            The teacher's folder, and the baseline as a candidate if it was trained here.

        Raises:
            DivergedError: The training diverged.
        """
        if self.settings.teacher is not None:
            return self.settings.teacher, []
        folder = self.root / "teacher"
        outcome = ended(self.run([self.training("teacher", base, settings, folder)])["teacher"])
        return folder, [candidate_of("baseline", "", base, outcome, self.root)]


@contextmanager
def opened_search(
    method: str,
    identity: Mapping[str, Any],
    settings: SearchSettings,
    root: Path,
    engine: Engine,
    *,
    progress: Progress,
    announce: Announce,
) -> Iterator[Rounds]:
    """Reserves the folder `root` for one search and yields the search's rounds.

    Args:
        method: the name of the search method.
        identity: further JSON values that tell this search from others. A search with other values is
            refused in the same folder; so are other threads and another kind of device.

    Raises:
        TrainingError: The folder holds another search, or is in use by another process.
        OutputError: The folder cannot be used.

    >>> import tempfile
    >>> settings = SearchSettings(data_dir=Path("data"), device="cpu", threads=1)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     options = {"progress": print, "announce": print}
    ...     with opened_search("snl", {}, settings, Path(name), None, **options) as rounds:
    ...         Path(name, "search.json").exists(), rounds.run([])
    (True, {})
    """
    shared = {"threads": settings.threads, "device": settings.device.partition(":")[0]}
    with claimed(root, {"search": method, **shared, **identity}):
        yield Rounds(root, engine, settings, progress, announce)


def ended(outcome: Outcome) -> Outcome:
    """Returns `outcome` if its job succeeded.

    Raises:
        DivergedError: The job's training diverged, so the search cannot go on from its result.

    >>> job = Job("train", "teacher", "/tmp/teacher", {})
    >>> ended(Outcome(job, {"test_accuracy_pct": 91.0})).failure
    ''
    >>> ended(Outcome(job, None, "training diverged in epoch 1"))
    Traceback (most recent call last):
    pi_bench.errors.DivergedError: teacher: training diverged in epoch 1
    """
    if outcome.result is None:
        raise DivergedError(f"{outcome.job.name}: {outcome.failure}")
    return outcome
