"""What searches have in common: rounds of trainings, and that of the network that they start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pi_bench.errors import DivergedError

from ..recipe import Recipe
from ..training import TrainingSettings
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine, run_jobs
from .job import Job, Outcome, Progress
from .training_job import training_job


@dataclass(frozen=True, slots=True)
class Rounds:
    """Trainings of one search in the folder `root`, independent of each other within a round."""

    root: Path
    engine: Engine
    progress: Progress
    announce: Announce
    data_dir: Path
    device: str
    threads: int

    def training(
        self,
        name: str,
        recipe: Recipe,
        settings: TrainingSettings,
        folder: Path,
        teacher: Path | None = None,
        start: Path | None = None,
    ) -> Job:
        return training_job(
            name,
            recipe,
            settings,
            folder,
            data_dir=self.data_dir,
            device=self.device,
            threads=self.threads,
            teacher=teacher,
            start=start,
        )

    def run(self, jobs: Sequence[Job], announce: Announce | None = None) -> dict[str, Outcome]:
        return run_jobs(self.engine, jobs, self.progress, announce or self.announce)

    def baseline(self, base: Recipe, settings: TrainingSettings) -> Candidate:
        """`base`, trained in the folder ``teacher``. Raises DivergedError: it diverged."""
        outcome = self.run([self.training("teacher", base, settings, self.root / "teacher")])["teacher"]
        return candidate_of("baseline", "", base, ended(outcome), self.root)


def ended(outcome: Outcome) -> Outcome:
    """Raises DivergedError: nothing can go on from there."""
    if outcome.result is None:
        raise DivergedError(f"{outcome.job.name}: {outcome.failure}")
    return outcome
