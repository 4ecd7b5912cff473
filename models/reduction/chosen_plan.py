"""The plan for one budget, and the settings of a search by plans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pi_bench.errors import UsageError

from ..planning import CHOICES, LayerChoice
from ..population.settings import PopulationSettings
from ..recipe import Recipe
from ..training import TrainingSettings
from ..training.logs import write_rows
from .plan_costs import PlanCosts
from .trainings import BudgetSettings

PLAN_FILE = "plan.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings(BudgetSettings):
    """The settings of a search by plans.

    Attributes:
        sensitivity: the settings of the short trainings from which risks follow.
        choices: the choices that a layer has beside ReLU, of `planning.CHOICES`.
        channel_groups: the groups of channels of each layer for which plans choose. With None, plans choose
            for whole layers.
        population: the numbers of population-based training. Without members, plans follow from risks.

    Raises:
        UsageError: There is no choice, one that is none of these, or no group of channels.

    >>> trained = TrainingSettings()
    >>> PlanSettings(
    ...     budgets=(5000,), training=trained, finetuning=trained, sensitivity=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).choices
    ('quadratic', 'cubic', 'linear')
    """

    sensitivity: TrainingSettings
    choices: tuple[str, ...] = CHOICES
    channel_groups: int | None = None
    population: PopulationSettings = field(default_factory=PopulationSettings)

    def __post_init__(self) -> None:
        """Checks the choices and the number of groups."""
        if not self.choices or set(self.choices) - set(CHOICES):
            raise UsageError(f"choices are {', '.join(self.choices)}, allowed: {', '.join(CHOICES)}")
        if self.channel_groups is not None and not 1 <= self.channel_groups <= 100_000:
            raise UsageError(f"--channel-groups is {self.channel_groups}, allowed: 1 to 100000")


@dataclass(frozen=True, slots=True)
class ChosenPlan:
    """A plan, and the finetuning of its network.

    Attributes:
        recipe: the network of the plan.
        words: the plan in words, such as "2 quadratic, 1 linear".
        start: the path of the weights that the finetuning starts from.
        finetuning: its settings.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("resnet18-cifar100-12288")
    >>> ChosenPlan(recipe, "1 cubic", Path("teacher/state.pt"), TrainingSettings()).words
    '1 cubic'
    """

    recipe: Recipe
    words: str
    start: Path
    finetuning: TrainingSettings


def write_plan(
    root: Path, costs: PlanCosts, options: Iterable[tuple[Mapping[str, Any], LayerChoice]]
) -> None:
    """Writes plan.csv in the folder of a search: gain and risk of each option.

    Args:
        costs: the costs of plans, whose unit gains have.
        options: the columns that name a layer or a group of channels, and the option.

    Raises:
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> from pi_bench.models import load_recipe
    >>> costs = PlanCosts(load_recipe("resnet18-cifar100-557056"), None)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_plan(Path(name), costs, [({"layer": "a"}, LayerChoice("a", "linear", 64.0, 0.5))])
    ...     print(Path(name, PLAN_FILE).read_text())
    layer,choice,gain_relus,risk_pct
    a,linear,64.0,0.5
    <BLANKLINE>
    """
    unit = "relus" if costs.objective is None else "s"
    write_rows(
        root / PLAN_FILE,
        [
            {**where, "choice": one.choice, f"gain_{unit}": one.gain, "risk_pct": one.risk}
            for where, one in options
        ],
    )
