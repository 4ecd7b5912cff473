"""From a network with all its ReLUs to one network per budget, after SENet (Kundu et al., ICLR 2023).

    teacher/          the network with all its ReLUs
    selected/B        masks from ReLU sensitivities of layers and differences of maps (`senet.selection`)
    networks/B        finetuned with frozen masks, distillation, and matching of maps with the teacher's

Budgets do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pi_bench.progress import Progress

from ..criticality import require_relus
from ..linearization.linearize import require_budgets
from ..linearization.masked_recipe import masked_recipe
from ..recipe import Recipe
from ..senet.settings import SelectionSettings
from .candidate import Candidate
from .engine import Announce, Engine
from .masked_budgets import finetuned, masked_budgets, prepared_per_budget
from .trainings import BudgetSettings, budgets_before, opened_from


@dataclass(frozen=True, slots=True, kw_only=True)
class SenetSettings(BudgetSettings):
    """The settings of a SENet search. A budget is the number of ReLUs to keep.

    Attributes:
        selection: the settings of the choice of masks.

    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> SenetSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained, selection=SelectionSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).selection.density
    0.1
    """

    selection: SelectionSettings


def senet(
    base: Recipe,
    settings: SenetSettings,
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
    >>> settings = SenetSettings(
    ...     budgets=(10**6,), selection=SelectionSettings(), finetuning=TrainingSettings(), **common
    ... )
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     senet(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 1000000: resnet18-cifar100-557056 has 557,056 ReLUs, a budget must be below that
    """
    require_relus(base)
    identity = {"selection": settings.selection.as_dict()}
    known = budgets_before("senet", base, settings, root, identity)
    budgets = masked_budgets(base, settings, "pixel", say, known=known)
    require_budgets(base, "pixel", budgets)
    with opened_from(
        "senet",
        base,
        settings,
        root,
        engine,
        identity,
        progress=progress,
        announce=announce,
        known=known,
        job_count=2 * len(budgets),
    ) as (
        trainings,
        teacher,
        found,
    ):
        recipes = {budget: masked_recipe(base, "pixel", budget, "senet") for budget in budgets}
        folders = {budget: root / "selected" / str(budget) for budget in budgets}
        chosen = prepared_per_budget("select", "masks", base, folders, settings.selection, trainings, teacher)
        for budget, outcome in chosen.items():
            if outcome.result is not None:
                say(
                    f"  masks of {budget:,} ReLUs: {100 * outcome.result['changed']:.1f} % changed in epoch "
                    f"{outcome.result['epoch']}, the last one"
                )
        networks = finetuned("senet", recipes, folders, settings, trainings, teacher, chosen, known=known)
        return [*found, *networks]
