"""A kind per channel, ReLU, cubic, quadratic or linear, to one network per budget, after SAFENet.

Lou et al., ICLR 2021. docs/reduction.md names the parts that are ours.

    teacher/          the network with all its ReLUs
    relaxed/B         weights of all kinds in each channel, trained for the budget (`safenet.relaxation`)
    rounded/B         the network with one kind per channel, from which the finetuning starts
    networks/B        finetuned with distillation from the teacher
    mixtures.csv      the channels of each kind, by network and layer
    budgets.json      ReLUs and predicted time of the rounded network for each budget of time

Budgets do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pi_bench.errors import UsageError
from pi_bench.progress import Progress

from ..building import build
from ..criticality import require_relus
from ..mixture import channels_in_words, kind_counts
from ..planning import CHOICES, with_choices
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..safenet.mixed_network import mixed_network, mixed_recipe
from ..safenet.relaxed_network import relaxed_state
from ..safenet.settings import RelaxationSettings
from ..training.logs import write_rows
from ..training.train_recipe import make_folder
from ..training.training_files import START_FILE, save_tensors, write_whole
from .candidate import Candidate, candidate_of
from .channel_costs import ChannelCosts
from .engine import Announce, Engine
from .plan_costs import PlanCosts
from .search_folder import keep_budgets
from .time_budgets import Budget, found_budgets
from .trainings import BudgetSettings, opened_from

MIXTURES_FILE = "mixtures.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class SafenetSettings(BudgetSettings):
    """The settings of a search by kinds of channels.

    Attributes:
        relaxation: the settings of the choice of kinds.

    >>> from pi_bench.models.training import TrainingSettings
    >>> trained = TrainingSettings()
    >>> SafenetSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained, relaxation=RelaxationSettings(),
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).relaxation.epochs
    20
    """

    relaxation: RelaxationSettings


def safenet(
    base: Recipe,
    settings: SafenetSettings,
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
    >>> settings = SafenetSettings(
    ...     budgets=(10**6,), relaxation=RelaxationSettings(), finetuning=TrainingSettings(), **common
    ... )
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     safenet(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 1000000: resnet18-cifar100-557056 has 557,056 ReLUs, a budget must be below that
    """
    require_relus(base)
    build(with_choices(base, {path: "cubic" for path, _ in base.relu_shapes()}), "meta")  # refuses ReLU6
    plan = PlanCosts(base, settings.objective)
    for budget in settings.budgets:
        plan.require(budget, CHOICES)
    costs = ChannelCosts(plan)
    if not any(of_layer[0] for of_layer in costs.of_kinds.values()):
        raise UsageError(f"no ReLU of {base.name} is predicted to cost anything ({settings.objective})")
    identity = {"relaxation": settings.relaxation.as_dict()}
    with opened_from(
        "safenet",
        base,
        settings,
        root,
        engine,
        identity,
        progress=progress,
        announce=announce,
        job_count=2 * len(settings.budgets),
    ) as (
        trainings,
        teacher,
        found,
    ):
        outcomes = trainings.prepare(
            [
                trainings.job(
                    "relax-channels",
                    f"relaxed-{budget}",
                    base,
                    root / "relaxed" / str(budget),
                    settings=settings.relaxation,
                    costs=costs.of_kinds,
                    budget=costs.for_channels(budget),
                    teacher=teacher,
                )
                for budget in settings.budgets
            ]
        )
        recipes: dict[Budget, Recipe] = {}
        rows: list[dict[str, Any]] = []
        for budget in settings.budgets:
            if outcomes[f"relaxed-{budget}"].result is None:
                continue
            recipe, kinds = _rounded(base, budget, costs, settings, root)
            recipes[budget] = recipe
            words = channels_in_words(np.concatenate(list(kinds.values())).tolist())
            say(f"  --budget {budget}: {words}, {costs.described(recipe)}")
            rows += [
                {
                    "budget": str(budget),
                    "layer": path,
                    "channels": len(of_layer),
                    **kind_counts(of_layer.tolist()),
                }
                for path, of_layer in kinds.items()
            ]
        if rows:
            write_rows(root / MIXTURES_FILE, rows)
        keep_budgets(found_budgets(recipes, plan.seconds_of), root, settings.objective)
        trained = trainings.run(
            [
                trainings.training(
                    str(budget),
                    recipe,
                    settings.finetuning,
                    root / "networks" / str(budget),
                    teacher,
                    root / "rounded" / str(budget) / START_FILE,
                )
                for budget, recipe in recipes.items()
            ]
        )  # a relaxation that diverged has no network to finetune
        return [
            *found,
            *(
                candidate_of(
                    "safenet",
                    f"channels-{budget}",
                    recipes.get(budget, base),
                    trained.get(str(budget), outcomes[f"relaxed-{budget}"]),
                    root,
                    budget,
                )
                for budget in settings.budgets
            ),
        ]


def _rounded(
    base: Recipe, budget: Budget, costs: ChannelCosts, settings: SafenetSettings, root: Path
) -> tuple[Recipe, dict[str, np.ndarray]]:
    """Rounds a relaxation, writes the network to start from, and returns its recipe and kinds."""
    state = relaxed_state(base, root / "relaxed" / str(budget))
    logits = {path: state[f"{path}.logits"].flatten(start_dim=1).numpy() for path in costs.of_kinds}
    kinds = costs.rounded(budget, logits, settings.relaxation.least_fraction)
    recipe, place = mixed_recipe(base, kinds), root / "rounded" / str(budget)
    make_folder(place)
    save_tensors(place / START_FILE, mixed_network(recipe, kinds, state).state_dict())
    write_whole(place / "recipe.toml", format_recipe(recipe).encode())
    return recipe, kinds
