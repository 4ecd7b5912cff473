"""The cost of one channel of each kind, in ReLUs or predicted seconds, by which SAFENet's search chooses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pi_bench.errors import UsageError

from ..mixture import KINDS
from ..planning import CHOICES
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..safenet.mixed_network import mixed_recipe
from ..safenet.rounding import rounded_kinds
from .objective import TimeObjective
from .plan_costs import PlanCosts
from .time_budgets import Budget, in_ms


class ChannelCosts:
    """The costs of channels of `base`, and of networks of which each channel has a kind of its own.

    The cost of a channel follows from networks in which one whole layer is replaced: it is the part of the
    layer's cost that one of its channels has, beyond that of a linear channel.

    Args:
        plan: the costs of networks of which whole layers are replaced.

    Attributes:
        of_kinds: the cost of one channel of each kind of `KINDS`, by the path of the layer.

    >>> from pi_bench.models import load_recipe
    >>> costs = ChannelCosts(PlanCosts(load_recipe("resnet18-cifar100-557056"), None))
    >>> costs.of_kinds["stem.relu"], costs.for_channels(1000)
    ((1024.0, 0.0, 0.0, 0.0), 1000.0)
    """

    def __init__(self, plan: PlanCosts) -> None:
        self._plan, self._rest = plan, plan.cost({})
        self._seconds: dict[str, float] = {}
        self.of_kinds: dict[str, tuple[float, ...]] = {}
        for path, shape in plan.base.relu_shapes():
            gains = {"relu": 0.0} | {choice: plan.gain(path, choice) for choice in CHOICES}
            self._rest -= gains["linear"]
            each = (max(0.0, (gains["linear"] - gains[kind]) / shape[0]) for kind in KINDS)
            self.of_kinds[path] = tuple(each)

    def for_channels(self, budget: Budget) -> float:
        """Returns the part of a budget that channels may have together, beyond that of linear channels.

        The costs of layers are taken to add up.
        """
        return max(0.0, float(budget if isinstance(budget, int) else budget.seconds) - self._rest)

    def rounded(
        self, budget: Budget, logits: Mapping[str, np.ndarray], least_fraction: float
    ) -> dict[str, np.ndarray]:
        """Returns the kinds of channels of the dearest rounded network that meets a budget.

        Args:
            logits, least_fraction: as for `rounding.rounded_kinds`.

        Raises:
            UsageError: None meets it.
        """
        found = rounded_kinds(
            logits, self.of_kinds, least_fraction, lambda kinds: self._cost(kinds) <= _number(budget)
        )
        if found is None:
            raise UsageError(
                f"--budget {budget}: no choice of channels of {self._plan.base.name} meets it; give a larger "
                "budget, or a lower --least-fraction"
            )
        return found

    def described(self, recipe: Recipe) -> str:
        """Returns the cost of a network in words."""
        objective = self._plan.objective
        if objective is None:
            return f"{recipe.relu_count:,} ReLUs"
        time_s = self._time_s(recipe, objective)
        return f"{recipe.relu_count:,} ReLUs, predicted to take {in_ms(time_s)} ({objective})"

    def _cost(self, kinds: Mapping[str, np.ndarray]) -> float:
        recipe, objective = mixed_recipe(self._plan.base, kinds), self._plan.objective
        return float(recipe.relu_count) if objective is None else self._time_s(recipe, objective)

    def _time_s(self, recipe: Recipe, objective: TimeObjective) -> float:
        """Returns the predicted time of a network of `mixed_recipe`, whose numbers of channels decide it.

        Most prices of a rounding change no number of channels, so each network is predicted once.
        """
        key = format_recipe(recipe)
        if key not in self._seconds:
            self._seconds[key] = objective.of_recipe(recipe).of(objective.name)
        return self._seconds[key]


def _number(budget: Budget) -> float:
    return float(budget) if isinstance(budget, int) else budget.seconds
