"""The width of each architecture: the largest one that meets a budget of ReLUs or of predicted time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pi_bench.errors import UsageError

from ..architectures.space import Space
from ..recipe import Recipe
from .objective import TimeObjective
from .time_budgets import Budget, needs_objective, relus_text, time_text


class ArchitectureSizes:
    """The costs of architectures by width. Each network is predicted once.

    Args:
        space: the space of the architectures.
        objective: predicts times. With None, costs are ReLUs.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.architectures.settings import NasSettings
    >>> from pi_bench.models.architectures.spaces import space_of
    >>> space = space_of("cryptonas", load_recipe("cnet1-cifar100-86016"), NasSettings(least_layers=6))
    >>> sizes = ArchitectureSizes(space, None)
    >>> sizes.widest(space.smallest(), 90_000).widths, sizes.widest(space.smallest(), 9000)
    ((14, 56, 224), None)
    """

    def __init__(self, space: Space[Any], objective: TimeObjective | None) -> None:
        self._space, self._objective = space, objective
        self._seconds: dict[tuple[str, int], float] = {}

    def seconds(self, recipe: Recipe) -> float:
        """Returns the predicted seconds of a network of the space. The objective is one of time."""
        assert self._objective is not None
        key = self._space.words(recipe), recipe.widths[0]
        if key not in self._seconds:
            self._seconds[key] = self._objective.of_recipe(recipe).of(self._objective.name)
        return self._seconds[key]

    def described(self, recipe: Recipe) -> str:
        """Returns the ReLUs of a network in words, with its predicted time if the objective is time."""
        relus = relus_text(recipe.relu_count)
        if self._objective is None:
            return relus
        return f"{relus}, predicted to take {time_text(self.seconds(recipe))} ({self._objective})"

    def meets(self, budget: Budget, recipe: Recipe) -> bool:
        """Returns whether a network is within a budget."""
        if isinstance(budget, int):
            return recipe.relu_count <= budget
        return self.seconds(recipe) <= budget.seconds

    def require(self, budget: Budget, cheap: Iterable[Recipe] | None = None) -> None:
        """Checks that one of the smallest networks of the space is within a budget.

        Args:
            cheap: the smallest networks of the search, which have equally many ReLUs; None for those of the
                space.

        Raises:
            UsageError: None is, or the budget is a time and there is no objective to predict it.

        >>> from pi_bench.errors import PiBenchError
        >>> from pi_bench.models import load_recipe
        >>> from pi_bench.models.architectures.settings import NasSettings
        >>> from pi_bench.models.architectures.spaces import space_of
        >>> space = space_of("cryptonas", load_recipe("cnet1-cifar100-86016"), NasSettings())
        >>> try:
        ...     ArchitectureSizes(space, None).require(100)
        ... except PiBenchError as error:
        ...     print(error)
        --budget 100: the smallest network of the space cryptonas, 3 layers of 2 channels, has 6,144 ReLUs
        """
        if not isinstance(budget, int) and self._objective is None:
            raise UsageError(needs_objective(budget))
        tried: list[Recipe] = []
        for one in self._space.cheap() if cheap is None else cheap:
            if self.meets(budget, one):
                return
            tried.append(one)
            if isinstance(budget, int):
                break
        least = tried[0] if isinstance(budget, int) else min(tried, key=self.seconds)
        words = "smallest network" if len(tried) == 1 else "fastest of the smallest networks"
        raise UsageError(
            f"--budget {budget}: the {words} of the space {self._space.name}, "
            f"{self._space.layer_count(least)} {self._space.unit} of {self._space.least_width} channels, has "
            f"{self.described(least)}"
        )

    def widest(self, architecture: Recipe, budget: Budget) -> Recipe | None:
        """Returns the architecture at the largest width within a budget, or None if the least is beyond it.

        Cost is taken to grow with the width. The network that is returned is within the budget in any case.
        """
        low, high = self._space.least_width, self._space.least_width
        found: Recipe = self._space.with_width(architecture, low)
        if not self.meets(budget, found):
            return None
        while high < self._space.most_width:  # doubles, so that none is predicted that is far too large
            high = min(2 * high, self._space.most_width)
            wider = self._space.with_width(architecture, high)
            if not self.meets(budget, wider):
                break
            low, found = high, wider
        while high - low > 1:
            middle = (low + high) // 2
            wider = self._space.with_width(architecture, middle)
            if self.meets(budget, wider):
                low, found = middle, wider
            else:
                high = middle
        return found
