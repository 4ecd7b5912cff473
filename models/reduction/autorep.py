"""From a network with all its ReLUs to one network per budget, after AutoReP (Peng et al., ICCV 2023).

    teacher/          the network with all its ReLUs
    replaced/B        indicators, quadratics and weights trained together (`autorep.replacement`)
    networks/B        finetuned with frozen masks and distillation from the teacher

Budgets do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pi_bench.progress import Progress

from ..autorep.replacement import replaced_recipe
from ..autorep.settings import ReplacementSettings
from ..criticality import require_relus
from ..linearization.linearize import require_budgets
from ..recipe import Recipe
from .candidate import Candidate
from .engine import Announce, Engine
from .masked_budgets import finetuned, masked_budgets, prepared_per_budget
from .trainings import BudgetSettings, budgets_before, opened_from


@dataclass(frozen=True, slots=True, kw_only=True)
class AutorepSettings(BudgetSettings):
    """The settings of an AutoReP search. A budget is the number of ReLUs to keep.

    Attributes:
        replacement: the settings of the training that replaces ReLUs by quadratics.

    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> AutorepSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained, replacement=ReplacementSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).replacement.variant
    'corrected'
    """

    replacement: ReplacementSettings


def autorep(
    base: Recipe,
    settings: AutorepSettings,
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
        ModelError: `base` is already reduced, or the teacher is another network.
        UsageError: A budget is impossible.
        TrainingError: The teacher diverged, or `root` holds another search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.training import TrainingSettings
    >>> common = {"data_dir": Path("data"), "device": "cpu", "threads": 1, "training": TrainingSettings()}
    >>> settings = AutorepSettings(
    ...     budgets=(10**6,), replacement=ReplacementSettings(), finetuning=TrainingSettings(), **common
    ... )
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     autorep(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 1000000: resnet18-cifar100-557056 has 557,056 ReLUs, a budget must be below that
    """
    require_relus(base)
    identity = {"replacement": settings.replacement.as_dict()}
    known = budgets_before("autorep", base, settings, root, identity)
    budgets = masked_budgets(base, settings, "pixel", say, lambda count: replaced_recipe(base, count), known)
    require_budgets(base, "pixel", budgets)
    with opened_from(
        "autorep",
        base,
        settings,
        root,
        engine,
        identity,
        progress=progress,
        announce=announce,
        known=known,
        job_count=2 * len(budgets),
    ) as (trainings, teacher, found):
        recipes = {budget: replaced_recipe(base, budget) for budget in budgets}
        folders = {budget: root / "replaced" / str(budget) for budget in budgets}
        replaced = prepared_per_budget(
            "replace", "replaced", base, folders, settings.replacement, trainings, teacher
        )
        for budget, outcome in replaced.items():
            if outcome.result is not None:
                left = outcome.result["relu_count_before"]
                say(f"  replaced: {budget:,} ReLUs of the {left:,} that the last epoch left")
        networks = finetuned("autorep", recipes, folders, settings, trainings, teacher, replaced, known=known)
        return [*found, *networks]
