"""Budgets of predicted time, and the numbers of ReLUs that they allow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pi_bench.errors import UsageError

from ..recipe import Recipe
from .objective import TimeObjective

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """The largest predicted time of a network, in seconds, and the text that gave it.

    >>> TimeBudget.parse("15ms").seconds
    0.015
    """

    seconds: float
    text: str

    @classmethod
    def parse(cls, text: str) -> TimeBudget | None:
        """Returns the budget of a text such as ``15ms``, or None if the text is no time above 0."""
        found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(us|ms|s)", text, re.ASCII)
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
        return cls(seconds, text) if seconds > 0 else None

    def __str__(self) -> str:
        """Returns the text that the user gave."""
        return self.text


Budget = int | TimeBudget
"""A number of ReLUs, or a predicted time."""

FoundBudgets = dict[str, tuple[int, float]]
"""The numbers of ReLUs that times allow, and the seconds that they are predicted to take, by text."""


def found_budgets(recipes: Mapping[Budget, Recipe], seconds_of: Callable[[Recipe], float]) -> FoundBudgets:
    """Returns the ReLUs and the predicted seconds of the networks that a search has chosen for times.

    Args:
        recipes: the networks by budget. A network for a number of ReLUs is left out.
        seconds_of: predicts a network.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("resnet18-cifar100-12288")
    >>> found_budgets({TimeBudget(0.3, "300ms"): recipe, 15000: recipe}, lambda recipe: 0.25)
    {'300ms': (12288, 0.25)}
    """
    return {
        str(budget): (recipe.relu_count, seconds_of(recipe))
        for budget, recipe in recipes.items()
        if isinstance(budget, TimeBudget)
    }


def relu_budgets(
    budgets: Sequence[Budget],
    base: Recipe,
    sizes: Sequence[int],
    recipe_of: Callable[[int], Recipe],
    objective: TimeObjective | None,
    say: Callable[[str], None],
    known: FoundBudgets | None = None,
) -> tuple[int, ...]:
    """Returns the budgets in ReLUs, the largest first and each once.

    A time becomes the largest number of ReLUs whose network is predicted to take at most that time. The
    predicted time is taken to grow with the number of ReLUs, so a bisection finds it.

    Args:
        base: the network with all its ReLUs.
        sizes: the numbers of ReLUs that the method can leave, ascending.
        recipe_of: returns the network that the method leaves at a number of ReLUs.
        objective: predicts times; needed for budgets of time alone.
        say: prints one line. It gets one before the search for a time, and one with the result.
        known: the times that an earlier command has found, which gets those that are found now.

    Raises:
        UsageError: A time is below that of the smallest network, or not below that of `base`, or there is no
            objective to predict it.

    >>> from pi_bench.models import load_recipe
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> relu_budgets([30, 60, 30], base, range(1, 100), lambda count: base, None, print)
    (60, 30)
    >>> relu_budgets([TimeBudget.parse("15ms")], base, range(1, 100), lambda count: base, None, print)
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --budget 15ms is a time: add --objective online or --objective total
    """
    found: set[int] = set()
    known = {} if known is None else known

    @cache
    def full_s() -> float:
        assert objective is not None
        return objective.of_recipe(base).of(objective.name)

    @cache
    def time_s(size: int) -> float:
        assert objective is not None
        return objective.of_recipe(recipe_of(size)).of(objective.name)

    def search(budget: TimeBudget) -> tuple[int, float]:
        if budget.seconds >= full_s():
            raise UsageError(
                f"--budget {budget}: {base.name} with all its ReLUs is predicted to take "
                f"{time_text(full_s())} ({objective}), a budget must be below that"
            )
        smallest_s = time_s(sizes[0])
        if budget.seconds < smallest_s:
            raise UsageError(
                f"--budget {budget}: {time_text(smallest_s)} is the least that is predicted for {base.name} "
                f"({objective}), with {relus_text(sizes[0])}"
            )
        size = sizes[_last_within(budget.seconds, len(sizes), lambda index: time_s(sizes[index]))]
        return size, time_s(size)

    for budget in budgets:
        if isinstance(budget, int):
            found.add(budget)
            continue
        if objective is None:
            raise UsageError(needs_objective(budget))
        if str(budget) not in known:
            say(f"searching the number of ReLUs for {budget} ({objective}) …")
            known[str(budget)] = search(budget)
        size, predicted_s = known[str(budget)]
        say(
            f"  --budget {budget}: {relus_text(size)}, predicted to take {time_text(predicted_s)} "
            f"({objective})"
        )
        found.add(size)
    return tuple(sorted(found, reverse=True))


def budget_of(count: int, budgets: Sequence[Budget], known: FoundBudgets) -> Budget | None:
    """Returns the least time of `budgets` that allows `count` ReLUs, or None if no time does.

    Args:
        known: the times that `relu_budgets` has found.

    >>> times, known = [TimeBudget(0.3, "300ms"), TimeBudget(0.2, "200ms")], {"300ms": (90, 0.3)}
    >>> budget_of(60, times, known | {"200ms": (60, 0.2)})
    TimeBudget(seconds=0.2, text='200ms')
    """
    times = [one for one in budgets if isinstance(one, TimeBudget) and known[str(one)][0] == count]
    return min(times, key=lambda one: one.seconds, default=None)


def needs_objective(budget: TimeBudget) -> str:
    """Returns the refusal of a time without an objective that predicts it.

    >>> needs_objective(TimeBudget(0.015, "15ms"))
    '--budget 15ms is a time: add --objective online or --objective total'
    """
    return f"--budget {budget} is a time: add --objective online or --objective total"


def time_text(seconds: float) -> str:
    """Returns a time in words, in ms or from 1 s on in seconds.

    >>> time_text(0.01234), time_text(1.5642)
    ('12.3 ms', '1.56 s')
    """
    return f"{seconds:.3g} s" if seconds >= 0.9995 else f"{1e3 * seconds:.3g} ms"


def relus_text(count: int) -> str:
    """Returns a number of ReLUs in words.

    >>> relus_text(1), relus_text(15000)
    ('1 ReLU', '15,000 ReLUs')
    """
    return f"{count:,} ReLU{'s' * (count != 1)}"


def _last_within(limit_s: float, count: int, time_s: Callable[[int], float]) -> int:
    """Returns the last index of `count` whose time is at most `limit_s`, where index 0 is within."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if time_s(middle) <= limit_s else (low, middle)
    return low
