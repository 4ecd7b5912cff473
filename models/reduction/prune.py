"""The structured baseline: l1-norm filter pruning to each budget, then finetuning (Li et al., ICLR 2017).

teacher/            the network with all its ReLUs
pruned/budget-B     its weights without the filters that go (start.pt), and the recipe of what is left
networks/B          finetuned with distillation from the teacher, as SNL's networks are
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pi_bench.progress import Progress

from ..building import build
from ..pruning import pruned_recipe, pruned_state
from ..recipe import Recipe
from ..recipe_export import load_state
from ..recipe_writing import format_recipe
from ..training import TrainingSettings
from ..training.files import save_tensors, write_whole
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine
from .rounds import SearchSettings, opened_search
from .teacher import require_full_teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningSettings(SearchSettings):
    """The settings of a filter pruning.

    Attributes:
        budgets: the largest numbers of ReLUs, one network per budget.
        training: the settings of the teacher's training, unused if the search is given a teacher.
        finetuning: the settings of the pruned networks' trainings.
    """

    budgets: tuple[int, ...]
    training: TrainingSettings
    finetuning: TrainingSettings


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
    """Runs, or goes on with, the search in the folder `root`. Budgets may be added later.

    Returns:
        The baseline, where it was trained here, and a network a budget, diverged ones included.

    Raises:
        ModelError: `base` is reduced already or cannot be pruned, or the teacher is of another network.
        UsageError: an impossible budget.
        TrainingError: the teacher diverged, or `root` holds another search.
    """
    recipes = {budget: pruned_recipe(base, budget) for budget in settings.budgets}
    if settings.teacher is not None:
        require_full_teacher(settings.teacher, base)
    identity = {
        "recipe": format_recipe(base),
        "training": settings.training.as_dict(),
        "finetuning": settings.finetuning.as_dict(),
    }
    with opened_search(
        "prune", identity, settings, root, engine, progress=progress, announce=announce
    ) as rounds:
        teacher, found = rounds.teacher(base, settings.training)
        full = build(base)
        load_state(full, teacher / "state.pt")
        jobs = []
        for budget, recipe in recipes.items():
            folder = root / "pruned" / f"budget-{budget}"
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "recipe.toml", format_recipe(recipe).encode())
            save_tensors(folder / "start.pt", pruned_state(full.state_dict(), base, recipe))
            say(f"  pruned: {recipe.relu_count:,} ReLUs for a budget of {budget:,}")
            place = root / "networks" / str(budget)
            jobs.append(
                rounds.training(str(budget), recipe, settings.finetuning, place, teacher, folder / "start.pt")
            )
        outcomes = rounds.run(jobs)
        found += [
            candidate_of("l1-pruning", f"filters-{budget}", recipe, outcomes[str(budget)], root)
            for budget, recipe in recipes.items()
        ]
    return found
