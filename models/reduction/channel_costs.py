"""The cost of one channel of each kind, in ReLUs or predicted seconds, by which SAFENet's search chooses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pi_bench.errors import UsageError

from ..mixture import KINDS
from ..planning import CHOICES
from ..recipe import Recipe
from ..safenet.mixed_network import mixed_recipe
from ..safenet.rounding import rounded_kinds
from .plan_costs import PlanCosts
from .time_budgets import Budget


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
        if self._plan.objective is None:
            return self._plan.described_of(recipe)
        return f"{recipe.relu_count:,} ReLUs, predicted to take {self._plan.described_of(recipe)}"

    def _cost(self, kinds: Mapping[str, np.ndarray]) -> float:
        # Most prices of a rounding change no number of channels. `PlanCosts` predicts each network once.
        return self._plan.cost_of(mixed_recipe(self._plan.base, kinds))


def _number(budget: Budget) -> float:
    return float(budget) if isinstance(budget, int) else budget.seconds
