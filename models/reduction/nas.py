"""Architecture search: networks of a space that meet a budget, judged by short trainings.

    relaxed/N                    with DARTS, relaxed network N, whose cells are a candidate for each budget
    candidates/B/N               candidate N for budget B, trained for a few epochs
    candidates/B/candidates.csv  architecture, ReLUs, predicted time and validation accuracy of each
    networks/B/N                 the best candidates, trained in full from random weights

Each candidate is as wide as the budget allows, so that none over the budget is ever trained. All candidates
have the same seed, and all full trainings have another one, so that a candidate that its seed has favored
starts anew. Candidates that are proposed at once do not depend on each other, and neither do the full
trainings. Weights of candidates are deleted, because the full trainings start anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pi_bench.errors import DivergedError, ModelError, UsageError
from pi_bench.progress import Progress

from ..architectures.evolution import STRATEGIES, Proposer, Trial
from ..architectures.settings import NasSettings
from ..architectures.space import Space
from ..architectures.spaces import space_of
from ..architectures.sphynx_space import SphynxSpace
from ..criticality import base_name
from ..darts.settings import DartsSettings
from ..families.sphynx import SphynxRecipe
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training import TrainingSettings
from ..training.logs import write_rows
from ..training.seeds import seed_of
from .architecture_sizes import ArchitectureSizes
from .candidate import Candidate, candidate_of
from .cell_costs import cell_costs
from .engine import Announce, Engine
from .job import JobOutcome
from .teacher import require_teacher_for
from .time_budgets import Budget
from .trainings import SearchSettings, Trainings, opened_search

CANDIDATES_FILE = "candidates.csv"
DARTS = "darts"
"""The strategy by which candidates are the cells of relaxed networks and not proposed one after another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NasSearchSettings(SearchSettings):
    """The settings of an architecture search.

    Attributes:
        budgets: the numbers of ReLUs or the predicted times, one search per budget.
        space: the name of the space.
        strategy: the way in which candidates are proposed, of `evolution.STRATEGIES`, or "darts".
        nas: the numbers of the search. With "darts", `candidates` counts relaxed networks, and cells have the
            number and the reductions of the base network.
        darts: the settings of the training of the first relaxed network, for "darts" alone. Each further one
            has the next seed.
        judging: the settings of the short trainings.
        training: the settings of the full trainings, whose seed follows from that of these settings.

    Raises:
        UsageError: There is no such strategy or not in this space, there are no validation images, or numbers
            contradict each other.

    >>> trained = TrainingSettings()
    >>> NasSearchSettings(
    ...     budgets=(5000,), space="sphynx", judging=trained, training=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).strategy
    'evolution'
    """

    budgets: tuple[Budget, ...]
    space: str
    strategy: str = "evolution"
    nas: NasSettings = field(default_factory=NasSettings)
    darts: DartsSettings = field(default_factory=DartsSettings)
    judging: TrainingSettings
    training: TrainingSettings

    def __post_init__(self) -> None:
        """Checks the strategy, that there are validation images, and the numbers that belong together."""
        self.nas.require_together()
        allowed = (*STRATEGIES, DARTS)
        if self.strategy not in allowed:
            raise UsageError(f"strategy is {self.strategy!r}, allowed: {', '.join(allowed)}")
        if self.strategy == DARTS and self.space != SphynxSpace.name:
            raise UsageError(f"--search {DARTS} goes with --space {SphynxSpace.name}, whose cells it weighs")
        if not self.judging.validation_fraction:
            raise UsageError(
                "--validation 0: candidates are judged on validation images: use a fraction above 0"
            )


def nas(
    base: Recipe,
    settings: NasSearchSettings,
    root: Path,
    engine: Engine,
    *,
    progress: Progress,
    announce: Announce,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Runs the search in the folder `root`, or resumes it. Budgets and candidates can be added later.

    `say` prints one line. The other arguments are those of `opened_search`.

    Args:
        base: a network of the space's family, whose images, stem and reductions the candidates have.

    Returns:
        The networks that were trained in full, diverged ones included.

    Raises:
        ModelError: `base` is no network that a space is made around, or the teacher is for other images.
        UsageError: No network of the space meets a budget, or none of the cells that DARTS finds meets any.
        DivergedError: All candidates for all budgets diverged.
        TrainingError: `root` holds another search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> settings = NasSearchSettings(
    ...     budgets=(100,), space="sphynx", judging=TrainingSettings(), training=TrainingSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> base, quiet = load_recipe("sphynx-cifar100-25600"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     nas(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 100: the smallest network of the space sphynx, 3 cells of 2 channels, has 6,144 ReLUs
    """
    space = _space_of(base, settings)
    if settings.teacher is not None:
        require_teacher_for(settings.teacher, base)
    sizes = ArchitectureSizes(space, settings.objective)
    relaxed = space if settings.strategy == DARTS and isinstance(space, SphynxSpace) else None
    for budget in settings.budgets:
        sizes.require(budget, None if relaxed is None else relaxed.cheap_like_base())
    training = replace(settings.training, seed=seed_of(settings.training.seed, "full trainings"))
    identity = {
        "space": settings.space,
        "recipe": format_recipe(space.base),
        "strategy": settings.strategy,
        "nas": settings.nas.identity(),
        "darts": None if relaxed is None else settings.darts.as_dict(),  # older folders lack the key
        "judging": settings.judging.as_dict(),
        "training": training.as_dict(),
    }
    with opened_search(
        "nas", identity, settings, root, engine, progress=progress, announce=announce
    ) as trainings:
        found = None if relaxed is None else _relaxed_cells(relaxed, sizes, settings, trainings, say)
        searches = [
            _Search(space, sizes, budget, settings, trainings, say, found) for budget in settings.budgets
        ]
        best = {(budget, number): recipe for budget, number, recipe in _best_per_budget(searches, say)}
        outcomes = trainings.run(
            [
                trainings.training(
                    f"{budget}-{number}",
                    recipe,
                    training,
                    root / "networks" / budget / str(number),
                    settings.teacher,
                )
                for (budget, number), recipe in best.items()
            ]
        )
        return [
            candidate_of(
                "nas", f"{space.name}-{budget}-{number}", recipe, outcomes[f"{budget}-{number}"], root
            )
            for (budget, number), recipe in best.items()
        ]


def _space_of(base: Recipe, settings: NasSearchSettings) -> Space[Any]:
    """Returns the space around `base`. With DARTS, its networks have as many cells as `base`.

    Raises:
        ModelError: `base` is no network that a space is made around, or has no cell that DARTS can weigh.
        UsageError: A network with the reductions of `base` has more layers than the settings allow.
    """
    nas = settings.nas
    if settings.strategy == DARTS and isinstance(base, SphynxRecipe):
        count, most = sum(base.blocks), nas.entries()["most_layers"].high
        if count > most:
            raise ModelError(
                f"{base.name} has {count} cells: --search {DARTS} takes {most} at most, use another --network"
            )
        if count == base.strides.count(2):
            raise ModelError(
                f"{base.name} has no cell that keeps the size of its map: --search {DARTS} needs one, use "
                "another --network"
            )
        nas = replace(nas, least_layers=count, most_layers=count)
    space = space_of(settings.space, base, nas)
    if settings.strategy == DARTS and settings.darts.width > space.width_limit:
        raise UsageError(
            f"--relaxed-width {settings.darts.width}: a network like {base.name} has {space.width_limit} "
            "channels in its first stage at most"
        )
    return space


def _best_per_budget(
    searches: Sequence[_Search], say: Callable[[str], None]
) -> Iterator[tuple[str, int, Recipe]]:
    """Runs a search per budget, and yields budget, number and recipe of the best candidates.

    A budget without any is announced, and the search goes on with the others.

    Raises:
        UsageError: No budget has one, and no given architecture meets the first budget.
        DivergedError: No budget has one, and all candidates for the first budget diverged.
    """
    failures: list[UsageError | DivergedError] = []
    for one in searches:
        try:
            found = one.run()
        except (UsageError, DivergedError) as error:
            failures.append(error)
            if len(searches) > 1:
                say(f"  FAILED: {error}")
            continue
        yield from ((str(one.budget), number, recipe) for number, recipe in found)
    if len(failures) == len(searches):
        raise failures[0]


def _relaxed_cells(
    space: SphynxSpace,
    sizes: ArchitectureSizes,
    settings: NasSearchSettings,
    trainings: Trainings,
    say: Callable[[str], None],
) -> dict[int, Recipe]:
    """Trains the relaxed networks, and returns the architectures of their cells by the number of the network.

    An architecture that several networks choose has the number of the first one.

    Raises:
        DivergedError: All trainings diverged.
    """
    darts = settings.darts
    timed = settings.objective is not None and darts.time_weight > 0
    costs = cell_costs(space, sizes, darts.width) if timed else {}
    jobs = [
        trainings.job(
            "relax-cells",
            f"relaxed-{number}",
            space.with_width(space.with_cells({}), darts.width),
            trainings.root / "relaxed" / str(number),
            settings=replace(darts, seed=darts.seed + number),
            costs=costs,
        )
        for number in range(settings.nas.candidates)
    ]
    found: dict[int, Recipe] = {}
    first: dict[str, int] = {}
    for number, (name, outcome) in enumerate(trainings.prepare(jobs).items()):
        if outcome.result is None:
            say(f"  {name}: FAILED: {outcome.failure}")
            continue
        architecture = space.with_cells(outcome.result["cells"])
        words = space.words(architecture)
        say(f"  {name}: {words}{f', as relaxed-{first[words]}' if words in first else ''}")
        if first.setdefault(words, number) == number:
            found[number] = architecture
    if not found:
        raise DivergedError(
            "all relaxed networks diverged: use a lower --relaxed-learning-rate or --choice-learning-rate"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for one budget.

    Attributes:
        given: the architectures of the candidates by the number of their relaxed network, or None if they are
            proposed one after another.
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
