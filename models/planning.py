"""The planner: which ReLU layers of a network become quadratic, cubic or linear, and in which order.

DELPHI (Mishra et al., USENIX Security 2020) draws subsets of layers at random and lets population-based
training choose among them. Here each layer has, for each choice, a gain and a risk that were found for this
layer alone: the cost that the choice saves, and the accuracy that a short training with it loses. Choices
follow each other by gain per risk. This is the greedy solution of the knapsack problem with one choice per
layer; gains and risks of different layers are taken to add up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .criticality import base_name
from .recipe import Recipe
from .recipe_schema import parse_recipe
from .recipe_writing import format_recipe

CHOICES = ("quadratic", "cubic", "linear")
"""The choices that a layer has beside ReLU."""


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """One choice for one layer, with what it saves and loses if it is made alone.

    Attributes:
        path: the path of the ReLU layer.
        choice: one of `CHOICES`.
        gain: the cost that it saves, in ReLUs or in seconds.
        risk: the accuracy that it loses, in percentage points, at least 0.

    >>> LayerChoice("stem.relu", "quadratic", gain=0.002, risk=0.5).per_risk
    0.004
    """

    path: str
    choice: str
    gain: float
    risk: float

    @property
    def per_risk(self) -> float:
        """The gain per percentage point."""
        return self.gain / self.risk if self.risk > 0 else float("inf")


def with_choices(base: Recipe, choices: Mapping[str, str]) -> Recipe:
    """Returns `base` with the choices for its ReLU layers. A layer without a choice keeps its ReLUs.

    Raises:
        ModelError: A choice is for a layer that `base` does not have.

    >>> from pi_bench.models import load_recipe
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> found = with_choices(base, {"stem.relu": "cubic", "stages.0.0.relu1": "linear"})
    >>> found.name, found.cubics, found.identities
    ('resnet18-cifar100-plan-425984', ('stem.relu',), ('stages.0.0.relu1',))
    """
    paths = {choice: tuple(path for path in choices if choices[path] == choice) for choice in CHOICES}
    changed = dataclasses.replace(
        base,
        published=None,
        polynomials=paths["quadratic"],
        cubics=paths["cubic"],
        identities=paths["linear"],
    )
    name = f"{base_name(base)}-plan-{changed.relu_count}"
    return parse_recipe(format_recipe(dataclasses.replace(changed, name=name)), name)


def choices_of(recipe: Recipe) -> dict[str, str]:
    """Returns the choices of a network that `with_choices` made.

    >>> from pi_bench.models import load_recipe
    >>> choices_of(with_choices(load_recipe("resnet18-cifar100-557056"), {"stem.relu": "cubic"}))
    {'stem.relu': 'cubic'}
    """
    keys = {"quadratic": recipe.polynomials, "cubic": recipe.cubics, "linear": recipe.identities}
    return {path: choice for choice in CHOICES for path in keys[choice]}


def planned_choices(options: Mapping[tuple[str, str], LayerChoice]) -> Iterator[dict[str, str]]:
    """Yields the choices of longer and longer plans, from none to the one that saves most.

    Each plan changes the choice of one layer, the one that saves most cost per added risk. Among equals, the
    larger saving comes first, then the earlier layer.

    >>> options = [
    ...     LayerChoice("a", "quadratic", gain=1.0, risk=0.1), LayerChoice("a", "linear", gain=1.5, risk=2.0),
    ...     LayerChoice("b", "quadratic", gain=1.0, risk=0.5), LayerChoice("b", "linear", gain=0.0, risk=0.0),
    ... ]
    >>> for plan in planned_choices({(one.path, one.choice): one for one in options}):
    ...     print(plan)
    {}
    {'a': 'quadratic'}
    {'a': 'quadratic', 'b': 'quadratic'}
    {'a': 'linear', 'b': 'quadratic'}
    """
    changes: list[tuple[float, float, int, str, str]] = []
    for index, path in enumerate(dict.fromkeys(path for path, _ in options)):
        gain = risk = 0.0
        for one in _efficient([option for option in options.values() if option.path == path]):
            step = LayerChoice(path, one.choice, one.gain - gain, one.risk - risk)
            changes.append((-step.per_risk, -step.gain, index, path, one.choice))
            gain, risk = one.gain, one.risk
    plan: dict[str, str] = {}
    yield dict(plan)
    for *_, path, choice in sorted(changes):
        plan[path] = choice
        yield dict(plan)


def _efficient(options: list[LayerChoice]) -> list[LayerChoice]:
    """Returns the options of a layer that some trade of gain for risk prefers, by ascending gain.

    They are the corners of the upper convex hull of risk and gain, from the layer with its ReLUs on.
    """
    found: list[LayerChoice] = []
    gain = risk = 0.0
    while True:
        better = [option for option in options if option.gain > gain]
        if not better:
            return found
        best = max(
            better,
            key=lambda one: (LayerChoice("", "", one.gain - gain, one.risk - risk).per_risk, one.gain),
        )
        found.append(best)
        gain, risk = best.gain, best.risk


def delphi_score(accuracy_pct: float, replaced: int, total: int) -> float:
    """Returns DELPHI's score of a network: accuracy times 1 + the part of the activations without ReLU.

    >>> delphi_score(80.0, replaced=50, total=100)
    120.0
    """
    return accuracy_pct * (1 + replaced / total)


def time_score(accuracy_pct: float, time_s: float, full_s: float) -> float:
    """Returns the score by predicted time: accuracy times 1 + the part of the time that the network saves.

    >>> time_score(80.0, time_s=0.75, full_s=1.0)
    100.0
    """
    return accuracy_pct * (1 + (full_s - time_s) / full_s)
