"""The plan for each budget: from short trainings, for layers or channels, or by population-based training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pi_bench.errors import UsageError

from ..planning import LayerChoice
from ..recipe import Recipe
from .candidate import judging_accuracy_pct
from .channel_plans import channel_plans
from .chosen_plan import ChosenPlan, PlanSettings, write_plan
from .plan_costs import PlanCosts, in_words
from .population import Population
from .time_budgets import Budget
from .trainings import Trainings, ended


def chosen_plans(
    base: Recipe,
    settings: PlanSettings,
    costs: PlanCosts,
    trainings: Trainings,
    teacher: Path,
    say: Callable[[str], None],
) -> dict[Budget, ChosenPlan]:
    """Returns the plan for each budget, and trains what it follows from in the folder of the search.

    Args:
        costs: the costs of plans.
        teacher: the folder of the teacher.
        say: prints one line.

    Raises:
        UsageError: No plan meets a budget.
        DivergedError: All members of a population diverged.

    ```python
    def plan_of(budget: Budget, base: Recipe, settings: PlanSettings, search: Trainings) -> Recipe:
        costs = PlanCosts(base, settings.objective)
        found = chosen_plans(base, settings, costs, search, search.root / "teacher", print)
        return found[budget].recipe
    ```
    """
    if settings.population.members:
        tuned = settings.finetuning
        found = {}
        for budget in settings.budgets:
            population = Population(budget, costs, settings.choices, settings.population, tuned)
            choices, start = population.evolved(trainings, teacher, say)
            # ReLUs have given way already.
            found[budget] = ChosenPlan(
                costs.recipe(choices), in_words(choices), start, replace(tuned, interpolation=0.0)
            )
        return found
    options = _options(base, settings, costs, trainings, teacher)
    if settings.channel_groups is not None:
        return channel_plans(settings, costs, options, trainings, teacher)
    write_plan(trainings.root, costs, [({"layer": one.path}, one) for one in options.values()])
    plans = {budget: costs.first_within(budget, options) for budget in settings.budgets}
    return {
        budget: ChosenPlan(
            costs.recipe(choices), in_words(choices), teacher / "state.pt", settings.finetuning
        )
        for budget, choices in plans.items()
    }


def _options(
    base: Recipe, settings: PlanSettings, costs: PlanCosts, trainings: Trainings, teacher: Path
) -> dict[tuple[str, str], LayerChoice]:
    """Trains each choice for each layer shortly, and returns their gains and risks by layer and choice.

    A choice that diverges is no option, and neither is one that saves nothing.

    Raises:
        UsageError: No choice is left.
    """
    gains = {
        (path, choice): gain
        for path, _ in base.relu_shapes()
        for choice in settings.choices
        if (gain := costs.gain(path, choice)) > 0
    }
    recipes = {"relu": base} | {f"{path}-{choice}": costs.recipe({path: choice}) for path, choice in gains}
    outcomes = trainings.run(
        [
            trainings.training(
                name,
                recipe,
                settings.sensitivity,
                trainings.root / "sensitivity" / name,
                teacher,
                teacher / "state.pt",
            )
            for name, recipe in recipes.items()
        ]
    )
    best = judging_accuracy_pct(ended(outcomes["relu"]).result or {})
    options = {}
    for (path, choice), gain in gains.items():
        result = outcomes[f"{path}-{choice}"].result
        if result is not None:
            risk = max(0.0, best - judging_accuracy_pct(result))
            options[path, choice] = LayerChoice(path, choice, gain, risk)
    if not options:
        raise UsageError(
            f"no choice for a layer of {base.name} saves anything and can be trained: allow more --choices, "
            "or use a lower --finetune-learning-rate"
        )
    return options
