"""The structured baseline: l1-norm filter pruning to each budget, then finetuning (Li et al., ICLR 2017).

teacher/            the network with all its ReLUs
pruned/budget-B     the pruned weights (start.pt) and the recipe of the pruned network
networks/B          finetuned with distillation from the teacher, as SNL's networks are
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pi_bench.progress import Progress

from ..building import build
from ..pruning import pruned_recipe, pruned_sizes, pruned_state
from ..recipe import Recipe
from ..recipe_export import load_state
from ..recipe_writing import format_recipe
from ..training.training_files import START_FILE, save_tensors, write_whole
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine
from .time_budgets import relu_budgets
from .trainings import BudgetSettings, opened_from


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningSettings(BudgetSettings):
    """The settings of a filter pruning. A budget is the largest number of ReLUs of a network.

    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> PruningSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).budgets
    (5000,)
    """


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
    budgets = relu_budgets(
        settings.budgets,
        base,
        pruned_sizes(base),
        lambda count: pruned_recipe(base, count),
        settings.objective,
        say,
    )
    recipes = {budget: pruned_recipe(base, budget) for budget in budgets}
    with opened_from("prune", base, settings, root, engine, progress=progress, announce=announce) as (
        trainings,
        teacher,
        found,
    ):
        full = build(base)
        load_state(full, teacher / "state.pt")
        jobs = []
        for budget, recipe in recipes.items():
            folder = root / "pruned" / f"budget-{budget}"
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "recipe.toml", format_recipe(recipe).encode())
            save_tensors(folder / START_FILE, pruned_state(full.state_dict(), base, recipe))
            say(f"  pruned: {recipe.relu_count:,} ReLUs for a budget of {budget:,}")
            place = root / "networks" / str(budget)
            jobs.append(
                trainings.training(
                    str(budget), recipe, settings.finetuning, place, teacher, folder / START_FILE
                )
            )
        outcomes = trainings.run(jobs)
        found += [
            candidate_of("l1-pruning", f"filters-{budget}", recipe, outcomes[str(budget)], root)
            for budget, recipe in recipes.items()
        ]
    return found
