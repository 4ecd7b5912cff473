"""Coordinate descent on the masks of an SNL network, to one network per budget (after arXiv 2511.11781).

The settings are those of its predecessor's code; docs/reduction.md names the changes.

teacher/          the network with all its ReLUs
linearized/       SNL's linearization to the ReLUs from which the descent starts
descent/          blocks of ReLUs removed one after another, down to every budget (`linearization.descent`)
networks/B        finetuned with frozen masks and distillation from the teacher, as SNL's networks are
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pi_bench.errors import UsageError
from pi_bench.progress import Progress

from ..criticality import require_full
from ..linearization.descent_settings import DescentSettings
from ..linearization.linearize import budget_folder, require_budgets
from ..linearization.masked_recipe import masked_recipe
from ..linearization.settings import LinearizationSettings
from ..recipe import Recipe
from ..training.training_files import START_FILE
from .candidate import Candidate
from .engine import Announce, Engine
from .masked_budgets import finetuned, masked_budgets
from .trainings import BudgetSettings, budgets_before, ended, opened_from

_START_FACTOR = 2  # times the largest budget


@dataclass(frozen=True, slots=True, kw_only=True)
class BcdSettings(BudgetSettings):
    """The settings of a search by coordinate descent. A budget is the number of ReLUs to keep.

    Attributes:
        linearization: the settings of SNL's linearization. Its masks are those of pixels.
        linearization_threads: threads of linearization and descent, which run alone.
        descent: the settings of the descent.
        start: the number of ReLUs from which it starts. With None, it is twice the largest budget.

    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> BcdSettings(
    ...     budgets=(5000,), training=trained, linearization=LinearizationSettings(), finetuning=trained,
    ...     descent=DescentSettings(), data_dir=Path("data"), device="cpu", threads=1,
    ...     linearization_threads=2,
    ... ).start is None
    True
    """

    linearization: LinearizationSettings
    linearization_threads: int
    descent: DescentSettings
    start: int | None = None


def bcd(
    base: Recipe,
    settings: BcdSettings,
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
        TrainingError: A training that others need diverged, a budget is not reached, or `root` holds another
            search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.training import TrainingSettings
    >>> common = {"data_dir": Path("data"), "device": "cpu", "threads": 1, "training": TrainingSettings()}
    >>> settings = BcdSettings(
    ...     budgets=(60,), start=50, linearization=LinearizationSettings(), descent=DescentSettings(),
    ...     finetuning=TrainingSettings(), linearization_threads=1, **common,
    ... )
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     bcd(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --start 50: it must be above the largest budget, 60, and below the 557,056 ReLUs of ...
    """
    require_full(base)
    identity: dict[str, Any] = {
        "linearization": settings.linearization.as_dict(),
        "descent": settings.descent.as_dict(),
        "threads": [settings.threads, settings.linearization_threads],
    }
    known = budgets_before("bcd", base, settings, root, identity)
    budgets = masked_budgets(base, settings, "pixel", say, known=known)
    require_budgets(base, "pixel", budgets)
    start = settings.start or min(_START_FACTOR * budgets[0], base.relu_count - 1)
    if not budgets[0] < start < base.relu_count:
        raise UsageError(
            f"--start {start}: it must be above the largest budget, {budgets[0]:,}, and below the "
            f"{base.relu_count:,} ReLUs of {base.name}"
        )
    identity["start"] = start
    with opened_from(
        "bcd",
        base,
        settings,
        root,
        engine,
        identity,
        progress=progress,
        announce=announce,
        known=known,
        job_count=2 + len(budgets),
    ) as (
        trainings,
        teacher,
        found,
    ):
        linearized, descent = root / "linearized", root / "descent"
        job = trainings.job(
            "linearize",
            "linearized",
            base,
            linearized,
            threads=settings.linearization_threads,
            settings=settings.linearization,
            budgets=(start,),
            teacher=teacher,
        )
        ended(trainings.prepare([job])["linearized"])
        steps = settings.descent.step_count(start, budgets[-1])
        most = steps * (settings.descent.tries + 1) + 1
        say(f"  descent: {start:,} ReLUs to {budgets[-1]:,} in {steps} steps, at most {most:,} evaluations")
        job = trainings.job(
            "descend",
            "descent",
            base,
            descent,
            threads=settings.linearization_threads,
            settings=settings.descent,
            budgets=budgets,
            start=budget_folder(linearized, start) / START_FILE,
            start_count=start,
            teacher=teacher,
        )
        ended(trainings.prepare([job])["descent"])
        recipes = {budget: masked_recipe(base, "pixel", budget, "bcd") for budget in budgets}
        folders = dict.fromkeys(budgets, descent)
        return [*found, *finetuned("bcd", recipes, folders, settings, trainings, teacher, known=known)]
