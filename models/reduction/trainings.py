"""The parts that all searches share: their settings, their folder, and their trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from pi_bench.errors import DivergedError
from pi_bench.progress import Progress

from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training import TrainingSettings
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine, run_jobs
from .job import Job, JobOutcome
from .objective import TimeObjective
from .search_folder import claimed, keep_budgets, keep_costs, kept_budgets, require_same
from .search_job import Argument, search_job
from .teacher import require_full_teacher
from .time_budgets import Budget, FoundBudgets
from .training_job import training_job


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The settings that every search has.

    Attributes:
        data_dir: the folder of the data set's archive.
        device: the device of every training, as torch names it.
        threads: threads per training; the results depend on it in their last digits.
        teacher: the folder of an earlier training to distill from. With None, a search of reduced networks
            trains its own, and a search of architectures has none.
        objective: the predicted time that the search minimizes. With None, it minimizes ReLUs.

    >>> SearchSettings(data_dir=Path("data"), device="cpu", threads=1).teacher is None
    True
    """

    data_dir: Path
    device: str
    threads: int
    teacher: Path | None = None
    objective: TimeObjective | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings(SearchSettings):
    """The settings of a search for one network per budget.

    Attributes:
        budgets: the numbers of ReLUs or the predicted times, one network per budget.
        training: the settings of the teacher's training, unused if the search is given a teacher.
        finetuning: the settings of the trainings of the reduced networks.

    >>> trained = TrainingSettings()
    >>> BudgetSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).budgets
    (5000,)
    """

    budgets: tuple[Budget, ...]
    training: TrainingSettings
    finetuning: TrainingSettings


@dataclass(frozen=True, slots=True)
class Trainings:
    """The trainings of one search in the folder `root`. Those of one `run` do not depend on each other.

    Attributes:
        job_count: the number of all jobs of the search, which progress reports say; None if it is not known
            beforehand. After a job that diverged there may be fewer.

    >>> import tempfile
    >>> settings = SearchSettings(data_dir=Path("data"), device="cpu", threads=1)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     trainings = Trainings(Path(name), None, settings, print, print)
    ...     trainings.run([])
    {}
    """

    root: Path
    engine: Engine
    settings: SearchSettings
    progress: Progress
    announce: Announce
    job_count: int | None = None
    _numbers: Iterator[int] = field(default_factory=partial(count, 1), repr=False, compare=False)

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

    def job(
        self,
        kind: str,
        name: str,
        recipe: Recipe,
        folder: Path,
        *,
        threads: int | None = None,
        **arguments: Argument,
    ) -> Job:
        """Returns a job of the search beside its trainings; the arguments are those of `search_job`.

        Args:
            threads: threads of the job. With None, it has those of a training.
        """
        return search_job(
            kind,
            name,
            recipe,
            folder,
            data_dir=self.settings.data_dir,
            device=self.settings.device,
            threads=threads or self.settings.threads,
            **arguments,
        )

    def prepare(self, jobs: Sequence[Job]) -> dict[str, JobOutcome]:
        """Runs independent jobs that prepare trainings. It announces no outcome; raises as `run_jobs`."""
        return self.run(jobs, announce=lambda outcome, fresh: None)

    def run(self, jobs: Sequence[Job], announce: Announce | None = None) -> dict[str, JobOutcome]:
        """Runs independent trainings and returns their outcomes by job name; raises as `run_jobs` does."""
        if self.job_count is not None:
            jobs = [replace(job, number=f"{next(self._numbers)} of {self.job_count}") for job in jobs]
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
    job_count: int | None = None,
) -> Iterator[Trainings]:
    """Reserves the folder `root` for one search and yields the search's trainings.

    Args:
        method: the name of the search method.
        identity: further JSON values that tell this search from others. A search with other values is
            refused in the same folder; so are other threads and another kind of device.
        job_count: the number of all jobs of the search, if it is known beforehand.

    Raises:
        TrainingError: The folder holds another search, or is in use by another process.
        OutputError: The folder cannot be used.

    >>> import tempfile
    >>> settings = SearchSettings(data_dir=Path("data"), device="cpu", threads=1)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     options = {"progress": print, "announce": print}
    ...     with opened_search("snl", {}, settings, Path(name), None, **options) as trainings:
    ...         Path(name, "search.json").exists(), trainings.run([])
    (True, {})
    """
    with claimed(root, _identity(method, settings, identity)):
        if settings.objective is not None:
            keep_costs(settings.objective, root)
        yield Trainings(root, engine, settings, progress, announce, job_count)


@contextmanager
def opened_from(
    method: str,
    base: Recipe,
    settings: BudgetSettings,
    root: Path,
    engine: Engine,
    identity: Mapping[str, Any] | None = None,
    *,
    progress: Progress,
    announce: Announce,
    known: FoundBudgets | None = None,
    job_count: int | None = None,
) -> Iterator[tuple[Trainings, Path, list[Candidate]]]:
    """Reserves the folder `root` for a search that starts from `base`, and trains the teacher there.

    Yields the search's trainings, the teacher's folder, and the baseline if it was trained here.

    Args:
        method: the name of the search method.
        base: the network with all its ReLUs.
        engine: runs the trainings.
        identity: JSON values that tell this search from others, besides the network and its trainings.
        announce: called with each training's outcome.
        known: the numbers of ReLUs that budgets of time allow, for the folder to keep.
        job_count: the number of all jobs of the search but the teacher's, if it is known beforehand.

    Raises:
        ModelError: The teacher is another network than `base`, or its weights cannot be used.
        TrainingError: The teacher diverged, the folder holds another search, or another process uses it.
        OutputError: A file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> from pi_bench.models.training.training_files import save_tensors
    >>> base, trained = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625), TrainingSettings()
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = Path(name, "recipe.toml").write_text(format_recipe(base))
    ...     save_tensors(Path(name, "state.pt"), build(base).state_dict())
    ...     settings = BudgetSettings(
    ...         budgets=(5000,), training=trained, finetuning=trained, teacher=Path(name),
    ...         data_dir=Path("data"), device="cpu", threads=1,
    ...     )
    ...     quiet = {"progress": print, "announce": print}
    ...     with opened_from("snl", base, settings, Path(name, "search"), None, **quiet) as (all_, *rest):
    ...         all_.run([]), rest == [Path(name), []]
    ({}, True)
    """
    if settings.teacher is not None:
        require_full_teacher(settings.teacher, base)
    identity = _identity_from(base, settings, identity)
    if job_count is not None and settings.teacher is None:
        job_count += 1
    with opened_search(
        method, identity, settings, root, engine, progress=progress, announce=announce, job_count=job_count
    ) as trainings:
        keep_budgets(known or {}, root, settings.objective)
        yield trainings, *trainings.teacher(base, settings.training)


def budgets_before(
    method: str, base: Recipe, settings: BudgetSettings, root: Path, identity: Mapping[str, Any]
) -> FoundBudgets:
    """Returns the numbers of ReLUs that the folder `root` has for budgets of time.

    First it checks the teacher and the folder, as `opened_from` does, because a prediction takes seconds and
    these checks need none. The other arguments are those of `opened_from`.

    Raises:
        ModelError: The teacher is another network than `base`, or its weights cannot be used.
        TrainingError: The folder holds another search.

    >>> from pi_bench.models import load_recipe
    >>> trained = TrainingSettings()
    >>> settings = BudgetSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> budgets_before("snl", load_recipe("resnet18-cifar100-557056"), settings, Path("nowhere"), {})
    {}
    """
    if settings.teacher is not None:
        require_full_teacher(settings.teacher, base)
    require_same(root, _identity(method, settings, _identity_from(base, settings, identity)))
    return kept_budgets(root, settings.objective)


def _identity(method: str, settings: SearchSettings, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the JSON values that tell a search from others."""
    shared = {"threads": settings.threads, "device": settings.device.partition(":")[0]}
    objective = None if settings.objective is None else settings.objective.identity()
    return {"search": method, **shared, **identity, "objective": objective}


def _identity_from(
    base: Recipe, settings: BudgetSettings, identity: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns the JSON values that tell a search that starts from `base` from others of its method."""
    return {
        "recipe": format_recipe(base),
        "training": settings.training.as_dict(),
        "finetuning": settings.finetuning.as_dict(),
        **(identity or {}),
    }


def ended(outcome: JobOutcome) -> JobOutcome:
    """Returns `outcome` if its job succeeded.

    Raises:
        DivergedError: The job's training diverged, so the search cannot go on from its result.

    >>> job = Job("train", "teacher", "/tmp/teacher", {})
    >>> ended(JobOutcome(job, {"test_accuracy_pct": 91.0})).failure
    ''
    >>> ended(JobOutcome(job, None, "training diverged in epoch 1"))
    Traceback (most recent call last):
    pi_bench.errors.DivergedError: teacher: training diverged in epoch 1
    """
    if outcome.result is None:
        raise DivergedError(f"{outcome.job.name}: {outcome.failure}")
    return outcome
