"""SNL from a network with all its ReLUs to one network per budget (Cho et al., ICML 2022, Algorithm 1).

    teacher/          the network with all its ReLUs
    linearized/       masks and weights trained together, once for all budgets (`linearization.linearize`)
    networks/B        finetuned with frozen masks and distillation from the teacher

The finetunings do not depend on each other. The linearization is one training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pi_bench.progress import Progress

from ..criticality import require_full
from ..linearization.linearize import budget_recipe, require_budgets
from ..linearization.settings import LinearizationSettings
from ..recipe import Recipe
from .candidate import Candidate
from .engine import Announce, Engine
from .masked_budgets import finetuned, masked_budgets
from .trainings import BudgetSettings, Trainings, budgets_before, ended, opened_from


@dataclass(frozen=True, slots=True, kw_only=True)
class SnlSettings(BudgetSettings):
    """The settings of an SNL search. A budget is the number of ReLUs to keep.

    Attributes:
        linearization: the settings of the training that lowers the number of ReLUs.
        linearization_threads: threads of the linearization, which runs alone.

    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> SnlSettings(
    ...     budgets=(5000,), training=trained, linearization=LinearizationSettings(), finetuning=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1, linearization_threads=2,
    ... ).linearization.masks
    'pixel'
    """

    linearization: LinearizationSettings
    linearization_threads: int


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
    """Runs the search in the folder `root`, or resumes it. Smaller budgets can be added later.

    `say` prints one line. The other arguments are those of `opened_from`.

    Returns:
        The baseline, if it was trained here, and one network per budget, diverged ones included.

    Raises:
        ModelError: `base` is already reduced, or the teacher is another network.
        UsageError: A budget is impossible.
        TrainingError: The teacher or the linearization diverged, a budget is not reached, or `root` holds
            another search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.training import TrainingSettings
    >>> common = {"data_dir": Path("data"), "device": "cpu", "threads": 1, "training": TrainingSettings()}
    >>> settings = SnlSettings(
    ...     budgets=(10**6,), linearization=LinearizationSettings(), finetuning=TrainingSettings(),
    ...     linearization_threads=1, **common,
    ... )
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     snl(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 1000000: resnet18-cifar100-557056 has 557,056 ReLUs, a budget must be below that
    """
    require_full(base)
    identity = {
        "linearization": settings.linearization.as_dict(),
        "threads": [settings.threads, settings.linearization_threads],
    }
    known = budgets_before("snl", base, settings, root, identity)
    budgets = masked_budgets(base, settings, settings.linearization.masks, say, known=known)
    require_budgets(base, settings.linearization.masks, budgets)
    with opened_from(
        "snl",
        base,
        settings,
        root,
        engine,
        identity,
        progress=progress,
        announce=announce,
        known=known,
        job_count=1 + len(budgets),
    ) as (
        trainings,
        teacher,
        found,
    ):
        for result in _linearized(base, settings, budgets, trainings, teacher):
            say(
                f"  linearized: {result['relu_count']:,} ReLUs of the {result['relu_count_before']:,} "
                f"that epoch {result['epoch']} left"
            )
        linearized = root / "linearized"
        recipes = {budget: budget_recipe(linearized, budget) for budget in budgets}
        folders = dict.fromkeys(budgets, linearized)
        return [*found, *finetuned("snl", recipes, folders, settings, trainings, teacher, known=known)]


def _linearized(
    base: Recipe, settings: SnlSettings, budgets: Sequence[int], trainings: Trainings, teacher: Path
) -> list[dict[str, Any]]:
    """Linearizes `base` and returns the result of each budget."""
    job = trainings.job(
        "linearize",
        "linearized",
        base,
        trainings.root / "linearized",
        threads=settings.linearization_threads,
        settings=settings.linearization,
        budgets=tuple(budgets),
        teacher=teacher,
    )
    outcome = ended(trainings.prepare([job])["linearized"])
    assert outcome.result is not None
    return list(outcome.result["budgets"])
