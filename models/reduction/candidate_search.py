"""The search of a space for one budget: candidates are proposed, trained for a few epochs, and ranked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pi_bench.errors import DivergedError, UsageError

from ..architectures.evolution import Proposer, Trial
from ..architectures.space import Space
from ..criticality import base_name
from ..recipe import Recipe
from ..training.logs import write_rows
from .architecture_sizes import ArchitectureSizes
from .job import JobOutcome
from .nas_settings import NasSearchSettings
from .time_budgets import Budget
from .trainings import Trainings

CANDIDATES_FILE = "candidates.csv"


@dataclass(frozen=True, slots=True)
class CandidateSearch:
    """The search for one budget.

    Attributes:
        given: the architectures of the candidates by the number of their relaxed network, or None if they are
            proposed one after another.

    >>> from pathlib import Path
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.architectures.spaces import space_of
    >>> from pi_bench.models.training import TrainingSettings
    >>> settings = NasSearchSettings(
    ...     budgets=(20_000,), space="sphynx", judging=TrainingSettings(), training=TrainingSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> space = space_of("sphynx", load_recipe("sphynx-cifar100-25600"), settings.nas)
    >>> trainings = Trainings(Path("search"), None, settings, print, print)
    >>> search = CandidateSearch(space, ArchitectureSizes(space, None), 20_000, settings, trainings, print)
    >>> search.given is None
    True
    """

    space: Space[Any]
    sizes: ArchitectureSizes
    budget: Budget
    settings: NasSearchSettings
    trainings: Trainings
    say: Callable[[str], None]
    given: Mapping[int, Recipe] | None = None

    def run(self) -> list[tuple[int, Recipe]]:
        """Trains all candidates for a few epochs, and returns numbers and recipes of the best ones.

        Raises:
            UsageError: None of the given architectures meets the budget.
            DivergedError: All candidates diverged.
        """
        trials: list[Trial] = []
        if self.given is not None:
            trials = self._judged(self._fitted(self.given), 0)
            self._write(trials)
            if len(trials) < len(self.given):
                counts = f"{len(trials)} of {len(self.given)}"
                self.say(f"  --budget {self.budget}: {counts} architectures that were found meet it")
        else:
            proposer = Proposer(
                self.space, self.settings.nas, self.settings.strategy, self._widest, str(self.budget)
            )
            while proposed := proposer.after(trials):
                trials += self._judged(proposed, len(trials))
                self._write(trials)
            if len(trials) < self.settings.nas.candidates:
                self.say(
                    f"  --budget {self.budget}: no more than {len(trials)} architectures were found within"
                )
        if all(trial.accuracy_pct is None for trial in trials):
            raise DivergedError(f"all candidates for --budget {self.budget} diverged")
        best = self._best(trials)
        for number in best:
            trial = trials[number]
            self.say(
                f"  --budget {self.budget}: candidate {number}, validation accuracy "
                f"{trial.accuracy_pct:.2f} %, {self.sizes.described(trial.recipe)}"
            )
        return [(number, self._named(number, trials[number].recipe)) for number in best]

    def _widest(self, architecture: Recipe) -> Recipe | None:
        return self.sizes.widest(architecture, self.budget)

    def _fitted(self, given: Mapping[int, Recipe]) -> list[Trial]:
        """Returns trials of the given architectures that meet the budget.

        Raises:
            UsageError: None of them does.
        """
        trials = [
            Trial(architecture, recipe, relaxed=number)
            for number, architecture in given.items()
            if (recipe := self._widest(architecture)) is not None
        ]
        if not trials:
            raise UsageError(
                f"--budget {self.budget}: no cells that were found meet it at {self.space.least_width} "
                "channels; give a larger budget, or a larger --time-weight for another folder"
            )
        return trials

    def _judged(self, proposed: Sequence[Trial], first: int) -> list[Trial]:
        """Trains the candidates from number `first` on, and returns them with their accuracies."""
        folder = self.trainings.root / "candidates" / str(self.budget)
        jobs = {
            number: self.trainings.training(
                f"{self.budget}-candidate-{number}",
                self._named(number, trial.recipe),
                self.settings.judging,
                folder / str(number),
                self.settings.teacher,
            )
            for number, trial in enumerate(proposed, first)
        }
        outcomes = self.trainings.run(list(jobs.values()), announce=self._tell)
        for number in jobs:
            for path in (folder / str(number)).glob("*.pt"):
                path.unlink()
        results = [outcomes[job.name].result for job in jobs.values()]
        return [
            replace(trial, accuracy_pct=None if result is None else result["validation_accuracy_pct"])
            for trial, result in zip(proposed, results, strict=True)
        ]

    def _tell(self, outcome: JobOutcome, fresh: bool) -> None:
        """Prints the outcome of a short training. Its accuracy on test images decides nothing."""
        if outcome.result is None:
            self.say(f"  {outcome.job.name}: FAILED: {outcome.failure}")
            return
        relus = outcome.result["recipe"]["relu_count"]
        accuracy = outcome.result["validation_accuracy_pct"]
        spent = f"{outcome.result['training_s']:.0f} s" if fresh else "from an earlier run"
        self.say(f"  {outcome.job.name}: {relus:,} ReLUs, validation accuracy {accuracy:.2f} %, {spent}")

    def _named(self, number: int, recipe: Recipe) -> Recipe:
        name = f"{base_name(recipe)}-{self.budget}-{number}-{recipe.relu_count}"
        return replace(recipe, name=name)

    def _best(self, trials: Sequence[Trial]) -> list[int]:
        """Returns the numbers of the best candidates; of equally accurate ones, the cheaper come first."""
        timed = self.settings.objective is not None
        ranked = sorted(
            (number for number, trial in enumerate(trials) if trial.accuracy_pct is not None),
            key=lambda number: (
                -trials[number].rank,
                self.sizes.seconds(trials[number].recipe) if timed else trials[number].recipe.relu_count,
                number,
            ),
        )
        return ranked[: self.settings.nas.finals]

    def _write(self, trials: Sequence[Trial]) -> None:
        timed = self.settings.objective is not None
        write_rows(
            self.trainings.root / "candidates" / str(self.budget) / CANDIDATES_FILE,
            [
                {
                    "candidate": number,
                    "parent": "" if trial.parent is None else trial.parent,
                    "relaxed": "" if trial.relaxed is None else trial.relaxed,
                    "relu_count": trial.recipe.relu_count,
                    "predicted_s": self.sizes.seconds(trial.recipe) if timed else "",
                    "validation_accuracy_pct": (
                        "" if trial.accuracy_pct is None else round(trial.accuracy_pct, 4)
                    ),
                    "layers": self.space.layer_count(trial.recipe),
                    "width": trial.recipe.widths[0],
                    "architecture": self.space.words(trial.recipe),
                }
                for number, trial in enumerate(trials)
            ],
        )
