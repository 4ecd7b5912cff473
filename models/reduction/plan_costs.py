"""The costs of plans, in ReLUs or predicted seconds, and the first plan that meets a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pi_bench.errors import UsageError

from ..planning import CHOICES, LayerChoice, planned_choices, with_choices
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from .objective import TimeObjective
from .time_budgets import Budget, needs_objective, relus_text, time_text


class PlanCosts:
    """The costs of networks in which layers or channels of `base` are replaced. Each one is predicted once.

    Args:
        base: the network with all its ReLUs.
        objective: predicts times. With None, costs are ReLUs.

    >>> from pi_bench.models import load_recipe
    >>> costs = PlanCosts(load_recipe("resnet18-cifar100-557056"), None)
    >>> costs.gain("stem.relu", "cubic"), costs.described({"stem.relu": "cubic"})
    (65536.0, '491,520 ReLUs')
    """

    def __init__(self, base: Recipe, objective: TimeObjective | None) -> None:
        self.base, self.objective = base, objective
        self._seconds: dict[str, float] = {}

    def recipe(self, choices: Mapping[str, str]) -> Recipe:
        """Returns the network of a plan."""
        return with_choices(self.base, choices) if choices else self.base

    def seconds(self, choices: Mapping[str, str]) -> float:
        """Returns the predicted seconds of the network of a plan. The objective is one of time."""
        return self.seconds_of(self.recipe(choices))

    def seconds_of(self, recipe: Recipe) -> float:
        """Returns the predicted seconds of a network. The objective is one of time."""
        assert self.objective is not None
        key = format_recipe(recipe)
        if key not in self._seconds:
            self._seconds[key] = self.objective.of_recipe(recipe).of(self.objective.name)
        return self._seconds[key]

    def cost(self, choices: Mapping[str, str]) -> float:
        """Returns the ReLUs or seconds of the network of a plan."""
        return self.cost_of(self.recipe(choices))

    def cost_of(self, recipe: Recipe) -> float:
        """Returns the ReLUs or seconds of a network."""
        return float(recipe.relu_count) if self.objective is None else self.seconds_of(recipe)

    def gain(self, path: str, choice: str) -> float:
        """Returns the ReLUs or seconds that one choice for one layer saves."""
        return self.cost({}) - self.cost({path: choice})

    def meets(self, budget: Budget, choices: Mapping[str, str]) -> bool:
        """Returns whether the network of a plan is within a budget."""
        return self.within(budget, self.recipe(choices))

    def within(self, budget: Budget, recipe: Recipe) -> bool:
        """Returns whether a network is within a budget."""
        if isinstance(budget, int):
            return recipe.relu_count <= budget
        return self.seconds_of(recipe) <= budget.seconds

    def described(self, choices: Mapping[str, str]) -> str:
        """Returns the cost of a plan in words."""
        return self.described_of(self.recipe(choices))

    def described_of(self, recipe: Recipe) -> str:
        """Returns the cost of a network in words."""
        if self.objective is not None:
            return f"{time_text(self.seconds_of(recipe))} ({self.objective})"
        return relus_text(recipe.relu_count)

    def require(self, budget: Budget, allowed: Sequence[str]) -> None:
        """Checks that a budget is below the full network, and not below the network without any ReLU.

        Args:
            allowed: the choices that layers have.

        Raises:
            UsageError: It is not, or it is a time and there is no objective to predict it.

        >>> from pi_bench.models import load_recipe
        >>> PlanCosts(load_recipe("resnet18-cifar100-557056"), None).require(0, CHOICES)
        """
        if isinstance(budget, int):
            if budget >= self.base.relu_count:
                raise UsageError(
                    f"--budget {budget}: {self.base.name} has {self.base.relu_count:,} ReLUs, a budget must "
                    "be below that"
                )
            return
        if self.objective is None:
            raise UsageError(needs_objective(budget))
        if budget.seconds >= self.seconds({}):
            raise UsageError(
                f"--budget {budget}: {self.base.name} with all its ReLUs is predicted to take "
                f"{time_text(self.seconds({}))} ({self.objective}), a budget must be below that"
            )
        paths = [path for path, _ in self.base.relu_shapes()]
        least = min(self.seconds(dict.fromkeys(paths, choice)) for choice in allowed)
        if budget.seconds < least:
            raise UsageError(
                f"--budget {budget}: {time_text(least)} is the least that is predicted for {self.base.name} "
                f"({self.objective}), without any ReLU"
            )

    def first_within(self, budget: Budget, options: Mapping[tuple[str, str], LayerChoice]) -> dict[str, str]:
        """Returns the first of the `planned_choices` that meets a budget.

        Args:
            options: gain and risk of each choice for each layer.

        Raises:
            UsageError: No plan meets it.
        """
        choices: dict[str, str] = {}
        for choices in planned_choices(options):
            if choices and self.meets(budget, choices):
                return choices
        raise UsageError(
            f"--budget {budget}: {self.described(choices)} is the least that the plans for {self.base.name} "
            "reach; other choices diverged or save nothing"
        )


def in_words(choices: Mapping[str, str]) -> str:
    """Returns the number of layers of each choice in words.

    >>> in_words({"a": "linear", "b": "quadratic", "c": "linear"})
    '1 quadratic, 2 linear'
    """
    counts = {choice: list(choices.values()).count(choice) for choice in CHOICES}
    return ", ".join(f"{count} {choice}" for choice, count in counts.items() if count)
