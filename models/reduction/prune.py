"""The structured baseline: filter pruning to each budget, then finetuning (Li et al., ICLR 2017).

    teacher/            the network with all its ReLUs
    criteria/B          with `--criterion lfpc`, the criterion of each layer (`lfpc.choice`)
    pruned/budget-B     the pruned weights (start.pt) and the recipe of the pruned network
    networks/B          finetuned with distillation from the teacher, as SNL's networks are

Budgets do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pi_bench.errors import UsageError
from pi_bench.progress import Progress

from ..building import build
from ..filter_criteria import CRITERIA
from ..lfpc.settings import CriteriaSettings
from ..pruning import pruned_recipe, pruned_sizes, pruned_state
from ..recipe import Recipe
from ..recipe_export import load_state
from ..recipe_writing import format_recipe
from ..training.training_files import START_FILE, save_tensors, write_whole
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine
from .time_budgets import budget_of, relu_budgets
from .trainings import BudgetSettings, Trainings, budgets_before, ended, opened_from

SAMPLED = "lfpc"
"""The criterion that stands for one of `CRITERIA` per layer, chosen by sampling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningSettings(BudgetSettings):
    """The settings of a filter pruning. A budget is the largest number of ReLUs of a network.

    Attributes:
        criterion: one of `CRITERIA`, or "lfpc".
        sampling: the settings of the choice of criteria, for "lfpc" alone.

    Raises:
        UsageError: The criterion is none of these.

    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> PruningSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).criterion
    'l1'
    """

    criterion: str = "l1"
    sampling: CriteriaSettings = field(default_factory=CriteriaSettings)

    def __post_init__(self) -> None:
        """Checks the criterion."""
        allowed = (*CRITERIA, SAMPLED)
        if self.criterion not in allowed:
            raise UsageError(f"criterion is {self.criterion!r}, allowed: {', '.join(allowed)}")


def prune(
    base: Recipe,
    settings: PruningSettings,
    root: Path,
    engine: Engine,
    *,
    progress: Progress,
    announce: Announce,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Runs the search in the folder `root`, or resumes it. Budgets can be added later.

    `say` prints one line. The other arguments are those of `opened_from`.

    Returns:
        The baseline, if it was trained here, and one network per budget, diverged ones included.

    Raises:
        ModelError: `base` is already reduced or cannot be pruned, or the teacher is another network.
        UsageError: A budget is impossible.
        TrainingError: The teacher diverged, or `root` holds another search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.training import TrainingSettings
    >>> common = {"data_dir": Path("data"), "device": "cpu", "threads": 1, "training": TrainingSettings()}
    >>> settings = PruningSettings(budgets=(10**6,), finetuning=TrainingSettings(), **common)
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     prune(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 1000000: resnet18-cifar100-557056 has 557,056 ReLUs, a budget must be below that
    """
    criterion = settings.criterion
    identity = {
        "criterion": None if criterion == "l1" else criterion,  # folders of version 0.2.0 lack the key
        "sampling": settings.sampling.as_dict() if criterion == SAMPLED else None,
    }
    known = budgets_before("prune", base, settings, root, identity)
    budgets = relu_budgets(
        settings.budgets,
        base,
        pruned_sizes(base),
        lambda count: pruned_recipe(base, count, criterion),
        settings.objective,
        say,
        known,
    )
    recipes = {budget: pruned_recipe(base, budget, criterion) for budget in budgets}
    with opened_from(
        "prune",
        base,
        settings,
        root,
        engine,
        identity,
        progress=progress,
        announce=announce,
        known=known,
        job_count=(2 if criterion == SAMPLED else 1) * len(budgets),
    ) as (
        trainings,
        teacher,
        found,
    ):
        criteria: Mapping[int, Mapping[str, str] | str] = dict.fromkeys(budgets, criterion)
        if criterion == SAMPLED:
            criteria = _sampled(base, recipes, settings, trainings, teacher, say)
        full = build(base)
        load_state(full, teacher / "state.pt")
        jobs = []
        for budget, recipe in recipes.items():
            folder = root / "pruned" / f"budget-{budget}"
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "recipe.toml", format_recipe(recipe).encode())
            left = pruned_state(full.state_dict(), base, recipe, criteria[budget])
            save_tensors(folder / START_FILE, left)
            say(f"  pruned: {recipe.relu_count:,} ReLUs for a budget of {budget:,}")
            place = root / "networks" / str(budget)
            jobs.append(
                trainings.training(
                    str(budget), recipe, settings.finetuning, place, teacher, folder / START_FILE
                )
            )
        outcomes = trainings.run(jobs)
        method = SAMPLED if criterion == SAMPLED else f"{criterion}-pruning"
        found += [
            candidate_of(
                method,
                f"filters-{budget}",
                recipe,
                outcomes[str(budget)],
                root,
                budget_of(budget, settings.budgets, known),
            )
            for budget, recipe in recipes.items()
        ]
    return found


def _sampled(
    base: Recipe,
    recipes: Mapping[int, Recipe],
    settings: PruningSettings,
    trainings: Trainings,
    teacher: Path,
    say: Callable[[str], None],
) -> dict[int, dict[str, str]]:
    """Chooses the criterion of each layer for each budget, and returns them by budget and path."""
    jobs = [
        trainings.job(
            "sample-criteria",
            f"criteria-{budget}",
            base,
            trainings.root / "criteria" / str(budget),
            pruned=recipe,
            settings=settings.sampling,
            teacher=teacher,
        )
        for budget, recipe in recipes.items()
    ]
    outcomes = trainings.prepare(jobs)
    found: dict[int, dict[str, str]] = {}
    for budget in recipes:
        result = ended(outcomes[f"criteria-{budget}"]).result or {}
        found[budget] = {path: layer["criterion"] for path, layer in result["layers"].items()}
        chosen = list(found[budget].values())
        counts = ", ".join(f"{one} in {chosen.count(one)}" for one in CRITERIA)
        say(f"  criteria for a budget of {budget:,}: {counts} layers")
    return found
