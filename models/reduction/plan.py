"""DELPHI's planner, generalized: layers or channels become quadratic, cubic or linear, to budgets.

    teacher/              the network with all its ReLUs
    sensitivity/relu      trained on for as long as the others, the accuracy that risks are relative to
    sensitivity/P-C       the layer P alone replaced by the choice C, from the teacher's weights
    plan.csv              gain and risk of each choice
    planned/B             with groups of channels (`channel_plans`): the plan's network before its finetuning
    networks/B            the plan for each budget, from the teacher's weights, with distillation
    scores.csv            DELPHI's score of each network, and ours
    budgets.json          ReLUs and predicted time of the plan for each budget of time

With a population, there are no sensitivities: members of the population have plans of their own
(`population`), and the best one is finetuned.

The trainings of sensitivities do not depend on each other, and neither do those of the networks. Replaced
ReLUs give way step by step in each training (r falls from 1 to 0, as in DELPHI's public code).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pi_bench.progress import Progress

from ..building import build
from ..criticality import require_relus
from ..planning import CHOICES, choices_of, delphi_score, time_score, with_choices
from ..recipe import Recipe
from ..training.logs import write_rows
from .candidate import Candidate, candidate_of, judging_accuracy_pct
from .chosen_plan import PlanSettings
from .chosen_plans import chosen_plans
from .engine import Announce, Engine
from .job import JobOutcome
from .plan_costs import PlanCosts
from .search_folder import keep_budgets
from .time_budgets import found_budgets
from .trainings import opened_from

SCORES_FILE = "scores.csv"


def plan(
    base: Recipe,
    settings: PlanSettings,
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
        UsageError: A budget is impossible, or no plan meets it.
        TrainingError: The teacher diverged, or `root` holds another search.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.training import TrainingSettings
    >>> common = {"data_dir": Path("data"), "device": "cpu", "threads": 1, "training": TrainingSettings()}
    >>> settings = PlanSettings(
    ...     budgets=(10**6,), sensitivity=TrainingSettings(), finetuning=TrainingSettings(), **common
    ... )
    >>> base, quiet = load_recipe("resnet18-cifar100-557056"), dict(progress=print, announce=print, say=print)
    >>> try:
    ...     plan(base, settings, Path("search"), None, **quiet)
    ... except PiBenchError as error:
    ...     print(error)
    --budget 1000000: resnet18-cifar100-557056 has 557,056 ReLUs, a budget must be below that
    """
    require_relus(base)
    paths = [path for path, _ in base.relu_shapes()]
    for choice in settings.choices:
        build(with_choices(base, dict.fromkeys(paths, choice)), "meta")  # ReLU6 is refused here
    costs = PlanCosts(base, settings.objective)
    for budget in settings.budgets:
        costs.require(budget, settings.choices)
    population = settings.population.as_dict() if settings.population.members else None
    identity = {
        "sensitivity": settings.sensitivity.as_dict(),
        "choices": list(settings.choices),
        "population": population,  # folders of version 0.2.0 lack the key
        "channel_groups": settings.channel_groups,  # and this one
    }
    with opened_from(
        "plan",
        base,
        settings,
        root,
        engine,
        identity,
        progress=progress,
        announce=announce,
        job_count=_job_count(base, settings),
    ) as (
        trainings,
        teacher,
        found,
    ):
        planned = chosen_plans(base, settings, costs, trainings, teacher, say)
        recipes = {str(budget): planned[budget].recipe for budget in settings.budgets}
        for budget, one in planned.items():
            recipe = one.recipe
            cost = "" if settings.objective is None else f", predicted to take {costs.described_of(recipe)}"
            say(f"  --budget {budget}: {one.words}, {recipe.relu_count:,} ReLUs{cost}")
        chosen = {budget: one.recipe for budget, one in planned.items()}
        keep_budgets(found_budgets(chosen, costs.seconds_of), root, settings.objective)
        outcomes = trainings.run(
            [
                trainings.training(
                    str(budget),
                    one.recipe,
                    one.finetuning,
                    root / "networks" / str(budget),
                    teacher,
                    one.start,
                )
                for budget, one in planned.items()
            ]
        )
        rows = [_scores(name, recipe, outcomes[name], costs) for name, recipe in recipes.items()]
        write_rows(root / SCORES_FILE, rows)
        parts = "layers" if settings.channel_groups is None else "channels"
        return [
            *found,
            *(
                candidate_of("plan", f"{parts}-{name}", recipe, outcomes[name], root, budget)
                for budget, (name, recipe) in zip(settings.budgets, recipes.items(), strict=True)
            ),
        ]


def _job_count(base: Recipe, settings: PlanSettings) -> int | None:
    """Returns the number of jobs after the teacher's, or None where it depends on predicted times."""
    networks, population = len(settings.budgets), settings.population
    if population.members:
        return networks * (population.members * population.generations + 1)
    if settings.objective is not None:  # a choice that saves no time is not trained
        return None
    options = len(list(base.relu_shapes())) * len(settings.choices)
    return 1 + options * (1 if settings.channel_groups is None else 2) + networks


def _scores(name: str, recipe: Recipe, outcome: JobOutcome, costs: PlanCosts) -> dict[str, Any]:
    """Returns the row of a network in scores.csv. A network that diverged has no scores."""
    row: dict[str, Any] = {"budget": name, "name": recipe.name, "relu_count": recipe.relu_count}
    row |= {"accuracy_pct": "", "delphi_score": "", "time_score": ""}
    if outcome.result is not None:
        accuracy, full = judging_accuracy_pct(outcome.result), costs.base.relu_count
        row["accuracy_pct"] = round(accuracy, 4)
        row["delphi_score"] = round(delphi_score(accuracy, full - recipe.relu_count, full), 4)
        if costs.objective is not None:
            row["time_score"] = round(time_score(accuracy, costs.seconds_of(recipe), costs.seconds({})), 4)
    return row | {choice: " ".join(_layers_of(recipe, choice)) for choice in CHOICES}


def _layers_of(recipe: Recipe, choice: str) -> Iterator[str]:
    """Yields the layers of a choice, and those of which some channels have it, with their number."""
    yield from (path for path, found in choices_of(recipe).items() if found == choice)
    for mixture in recipe.mixtures:
        if mixture.counts[choice]:
            yield f"{mixture.path}:{mixture.counts[choice]}"
