"""The parts that searches by masks share: their budgets, and the finetuning of their networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..building import build
from ..linearization.linearize import budget_folder
from ..linearization.masked_recipe import fewest_relus, masked_recipe
from ..recipe import Recipe
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from ..training.training_files import START_FILE
from .candidate import Candidate, candidate_of
from .job import JobOutcome
from .search_job import Argument
from .time_budgets import FoundBudgets, budget_of, relu_budgets
from .trainings import BudgetSettings, Trainings

_SIZE_COUNT = 256  # a time is met to this part of the ReLUs, so that a search compiles few networks


def masked_budgets(
    base: Recipe,
    settings: BudgetSettings,
    masks: str,
    say: Callable[[str], None],
    recipe_of: Callable[[int], Recipe] | None = None,
    known: FoundBudgets | None = None,
) -> tuple[int, ...]:
    """Returns the budgets in ReLUs of a search that masks ReLUs of `base`, the largest first.

    A time becomes a number of ReLUs by the prediction of networks whose masks lie at random places.

    Args:
        recipe_of: returns the network that the method leaves at a number of ReLUs. With None, pixels or
            channels without ReLU have no activation.
        known: as `relu_budgets` takes it.

    Raises:
        ModelError: Masks do not go together with other keys of `base`, or its activations cannot have them.
        UsageError: A time cannot be met or predicted.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> settings = BudgetSettings(
    ...     budgets=(60, 90), training=trained, finetuning=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> masked_budgets(load_recipe("resnet18-cifar100-557056"), settings, "pixel", print)
    (90, 60)
    """
    full = base.relu_count
    least = fewest_relus(base, masks)
    recipe_of = recipe_of or (lambda count: masked_recipe(base, masks, count))
    _require_possible(recipe_of(least))
    sizes = sorted({least, *(full * part // _SIZE_COUNT for part in range(1, _SIZE_COUNT))} - {0})
    return relu_budgets(
        settings.budgets,
        base,
        [size for size in sizes if size >= least],
        recipe_of,
        settings.objective,
        say,
        known,
    )


def prepared_per_budget(
    kind: str,
    name: str,
    base: Recipe,
    folders: Mapping[int, Path],
    settings: Argument,
    trainings: Trainings,
    teacher: Path,
) -> dict[int, JobOutcome]:
    """Runs one job per budget that chooses the masks of its network, in its folder.

    Args:
        kind: the kind of job (`search_job`).
        name: the first word of the jobs' names.
        folders: the folders of the jobs by budget.
        settings: the settings of the jobs.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe
    >>> from .trainings import SearchSettings
    >>> settings = SearchSettings(data_dir=Path("data"), device="cpu", threads=1)
    >>> base, teacher = load_recipe("resnet18-cifar100-557056"), Path("teacher")
    >>> with tempfile.TemporaryDirectory() as root:
    ...     trainings = Trainings(Path(root), None, settings, print, print)
    ...     prepared_per_budget("select", "masks", base, {}, None, trainings, teacher)
    {}
    """
    jobs = [
        trainings.job(
            kind, f"{name}-{budget}", base, folder, settings=settings, budget=budget, teacher=teacher
        )
        for budget, folder in folders.items()
    ]
    outcomes = trainings.prepare(jobs)
    return {budget: outcomes[f"{name}-{budget}"] for budget in folders}


def finetuned(
    method: str,
    recipes: Mapping[int, Recipe],
    folders: Mapping[int, Path],
    settings: BudgetSettings,
    trainings: Trainings,
    teacher: Path,
    prepared: Mapping[int, JobOutcome] | None = None,
    *,
    known: FoundBudgets,
) -> list[Candidate]:
    """Finetunes the network of each budget with frozen masks, from the weights in its folder.

    Args:
        prepared: the outcomes of `prepared_per_budget`. A network whose preparation diverged is not
            finetuned.
        known: the numbers of ReLUs that the budgets of time allow.

    Returns:
        The networks by the order of `recipes`, diverged ones included.

    >>> import tempfile
    >>> from pi_bench.models.training import TrainingSettings
    >>> settings = BudgetSettings(
    ...     budgets=(), training=TrainingSettings(), finetuning=TrainingSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... )
    >>> with tempfile.TemporaryDirectory() as name:
    ...     trainings = Trainings(Path(name), None, settings, print, print)
    ...     finetuned("snl", {}, {}, settings, trainings, Path("teacher"), known={})
    []
    """
    jobs = [
        trainings.training(
            str(budget),
            recipe,
            settings.finetuning,
            trainings.root / "networks" / str(budget),
            teacher,
            budget_folder(folders[budget], budget) / START_FILE,
        )
        for budget, recipe in recipes.items()
        if prepared is None or prepared[budget].result is not None
    ]
    outcomes = {int(name): outcome for name, outcome in trainings.run(jobs).items()}
    outcomes = {**(prepared or {}), **outcomes}
    return [
        candidate_of(
            method,
            f"{recipe.masks}-{budget}",
            recipe,
            outcomes[budget],
            trainings.root,
            budget_of(budget, settings.budgets, known),
        )
        for budget, recipe in recipes.items()
    ]


def _require_possible(recipe: Recipe) -> None:
    """Checks before any training that the recipe of a masked network can be written and built."""
    build(parse_recipe(format_recipe(recipe), recipe.name), "meta")
