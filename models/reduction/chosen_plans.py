"""The plan for each budget: by gain per risk from short trainings, or by population-based training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pi_bench.errors import UsageError

from ..planning import CHOICES, LayerChoice
from ..population.settings import PopulationSettings
from ..recipe import Recipe
from ..training import TrainingSettings
from ..training.logs import write_rows
from .candidate import judging_accuracy_pct
from .plan_costs import PlanCosts
from .population import Population
from .time_budgets import Budget
from .trainings import BudgetSettings, Trainings, ended

PLAN_FILE = "plan.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings(BudgetSettings):
    """The settings of a search by plans.

    Attributes:
        sensitivity: the settings of the short trainings from which risks follow.
        choices: the choices that a layer has beside ReLU, of `planning.CHOICES`.
        population: the numbers of population-based training. Without members, plans follow from risks.

    Raises:
        UsageError: There is no choice, or one that is none of these.

    >>> trained = TrainingSettings()
    >>> PlanSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained, sensitivity=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).choices
    ('quadratic', 'cubic', 'linear')
    """

    sensitivity: TrainingSettings
    choices: tuple[str, ...] = CHOICES
    population: PopulationSettings = field(default_factory=PopulationSettings)

    def __post_init__(self) -> None:
        """Checks the choices."""
        if not self.choices or set(self.choices) - set(CHOICES):
            raise UsageError(f"choices are {', '.join(self.choices)}, allowed: {', '.join(CHOICES)}")


@dataclass(frozen=True, slots=True)
class ChosenPlan:
    """A plan, and the finetuning of its network.

    Attributes:
        choices: the choices for layers.
        start: the path of the weights that the finetuning starts from.
        finetuning: its settings.

    >>> ChosenPlan({"stem.relu": "cubic"}, Path("teacher/state.pt"), TrainingSettings()).choices
    {'stem.relu': 'cubic'}
    """

    choices: Mapping[str, str]
    start: Path
    finetuning: TrainingSettings


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
    def plan_of(budget: Budget, base: Recipe, settings: PlanSettings, search: Trainings) -> dict[str, str]:
        costs = PlanCosts(base, settings.objective)
        found = chosen_plans(base, settings, costs, search, search.root / "teacher", print)
        return dict(found[budget].choices)
    ```
    """
    if settings.population.members:
        tuned = settings.finetuning
        found = {}
        for budget in settings.budgets:
            population = Population(budget, costs, settings.choices, settings.population, tuned)
            choices, start = population.evolved(trainings, teacher, say)
            # ReLUs have given way already.
            found[budget] = ChosenPlan(choices, start, replace(tuned, interpolation=0.0))
        return found
    options = _options(base, settings, costs, trainings, teacher)
    unit = "relus" if settings.objective is None else "s"
    write_rows(
        trainings.root / PLAN_FILE,
        [
            {"layer": one.path, "choice": one.choice, f"gain_{unit}": one.gain, "risk_pct": one.risk}
            for one in options.values()
        ],
    )
    return {
        budget: ChosenPlan(costs.first_within(budget, options), teacher / "state.pt", settings.finetuning)
        for budget in settings.budgets
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
