"""SNL from a network with all its ReLUs to one network a budget (Cho et al., ICML 2022, Algorithm 1).

    teacher/          the network with all its ReLUs
    linearized/       masks and weights trained together, once for all budgets (`linearization.run`)
    networks/B        masks frozen, finetuned with distillation from the teacher

The finetunings are independent of each other; the linearization is one training after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..criticality import require_full
from ..linearization.run import START_FILE, budget_folder, landed_recipe, require_budgets
from ..linearization.settings import LinearizationSettings
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training import TrainingSettings
from .candidate import Candidate, candidate_of
from .engine import Announce, Engine
from .job import Progress
from .linearization_job import linearization_job
from .rounds import Rounds, ended
from .search_folder import claimed
from .teacher import require_full_teacher


@dataclass(frozen=True, slots=True)
class SnlSettings:
    """`training` is the teacher's; `teacher`: the folder of an earlier training of the base network."""

    budgets: tuple[int, ...]
    training: TrainingSettings
    linearization: LinearizationSettings
    finetuning: TrainingSettings
    data_dir: Path
    device: str
    threads: int
    linearization_threads: int
    teacher: Path | None = None


def snl(
    base: Recipe,
    settings: SnlSettings,
    root: Path,
    engine: Engine,
    *,
    progress: Progress,
    announce: Announce,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Runs, or goes on with, the search in the folder `root`. Smaller budgets may be added later.

    Returns:
        The baseline, where it was trained here, and a network a budget, diverged ones included.

    Raises:
        ModelError: `base` is reduced already, or the teacher is of another network.
        UsageError: an impossible budget.
        TrainingError: the teacher or the linearization diverged or did not reach a budget, or `root` holds
            another search.
    """
    require_full(base)
    require_budgets(base, settings.linearization.masks, settings.budgets)
    if settings.teacher is not None:
        require_full_teacher(settings.teacher, base)
    identity = {
        "search": "snl",
        "recipe": format_recipe(base),
        "training": settings.training.as_dict(),
        "linearization": settings.linearization.as_dict(),
        "finetuning": settings.finetuning.as_dict(),
        "threads": [settings.threads, settings.linearization_threads],
        "device": settings.device.partition(":")[0],
    }
    rounds = Rounds(root, engine, progress, announce, settings.data_dir, settings.device, settings.threads)
    with claimed(root, identity):
        found = [] if settings.teacher else [rounds.baseline(base, settings.training)]
        teacher = settings.teacher or root / "teacher"
        for landing in _linearized(base, settings, rounds, teacher):
            say(
                f"  linearized: {landing['relu_count']:,} ReLUs of the {landing['relu_count_before']:,} "
                f"that epoch {landing['epoch']} left"
            )
        return [*found, *_finetuned(settings, rounds, teacher)]


def _linearized(base: Recipe, settings: SnlSettings, rounds: Rounds, teacher: Path) -> list[dict[str, Any]]:
    """The landing of each budget."""
    job = linearization_job(
        "linearized",
        base,
        settings.linearization,
        settings.budgets,
        rounds.root / "linearized",
        data_dir=settings.data_dir,
        device=settings.device,
        threads=settings.linearization_threads,
        teacher=teacher,
    )
    outcome = ended(rounds.run([job], announce=lambda outcome, fresh: None)["linearized"])
    assert outcome.result is not None
    return list(outcome.result["landings"])


def _finetuned(settings: SnlSettings, rounds: Rounds, teacher: Path) -> list[Candidate]:
    linearized = rounds.root / "linearized"
    recipes = {budget: landed_recipe(linearized, budget) for budget in settings.budgets}
    outcomes = rounds.run(
        [
            rounds.training(
                str(budget),
                recipe,
                settings.finetuning,
                rounds.root / "networks" / str(budget),
                teacher,
                budget_folder(linearized, budget) / START_FILE,
            )
            for budget, recipe in recipes.items()
        ]
    )
    return [
        candidate_of("snl", f"{recipe.masks}-{budget}", recipe, outcomes[str(budget)], rounds.root)
        for budget, recipe in recipes.items()
    ]
