"""Which architectures a search tries next: drawn ones, or changed copies of the best.

Random search draws all of them. Regularized evolution (Real et al., AAAI 2019) draws the first ones. Then the
best of some members of the population, which are the latest candidates, is copied and changed in one place.
Old candidates leave the population however good they are, so that an architecture lasts by its descendants
and not by one lucky training.

Real et al. propose one child at a time. Here several are proposed from one population, so that they are
trained at once, and the proposals do not depend on which training ends first. All draws follow from the seed,
the budget and the number of the candidate.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..recipe import Recipe
from .settings import NasSettings
from .space import Space

STRATEGIES = ("evolution", "random")
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Trial:
    """One architecture that a search tries.

    Attributes:
        architecture: the architecture, at the least width.
        recipe: the same one as wide as the budget allows.
        parent: the number of the trial of which it is a changed copy; None if it was drawn.
        accuracy_pct: its accuracy after the training; None before, and if it diverged.
        relaxed: the number of the relaxed network that chose its cells; None without one.

    >>> from pi_bench.models import load_recipe
    >>> Trial(load_recipe("cnet1-cifar100-86016"), load_recipe("cnet1-cifar100-86016")).parent is None
    True
    """

    architecture: Recipe
    recipe: Recipe
    parent: int | None = None
    accuracy_pct: float | None = None
    relaxed: int | None = None

    @property
    def rank(self) -> float:
        """The accuracy, and less than any accuracy without one."""
        return float("-inf") if self.accuracy_pct is None else self.accuracy_pct


@dataclass(frozen=True, slots=True)
class Proposer:
    """The proposals of one search.

    Attributes:
        space: the space of architectures.
        settings: the numbers of the search.
        strategy: one of `STRATEGIES`.
        fitted: returns an architecture as wide as the budget allows, or None if it cannot meet the budget.
        key: tells searches from each other that have the same seed.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.architectures.spaces import space_of
    >>> settings = NasSettings(candidates=4, population=4, finals=1)
    >>> space = space_of("cryptonas", load_recipe("cnet1-cifar100-86016"), settings)
    >>> proposer = Proposer(space, settings, "random", lambda found: space.with_width(found, 14), "86016")
    >>> len(proposer.after([])), proposer.after(proposer.after([]))
    (4, [])
    """

    space: Space[Any]
    settings: NasSettings
    strategy: str
    fitted: Callable[[Recipe], Recipe | None]
    key: str = ""
    _unfit: set[str] = field(default_factory=set, repr=False)

    def after(self, trials: Sequence[Trial]) -> list[Trial]:
        """Returns the next trials, which do not depend on each other. There are none at the end.

        Fewer than the settings ask for are found where the budget allows few architectures.

        Args:
            trials: all trials so far, in order, with their accuracies.
        """
        count, first = self.settings.candidates - len(trials), self.settings.population
        if self.strategy == "evolution":
            count = min(count, self.settings.children if trials else first)
        known = {self.space.words(trial.architecture) for trial in trials}
        found: list[Trial] = []
        for number in range(len(trials), len(trials) + max(0, count)):
            trial = self._proposed(number, trials, known)
            if trial is None:
                break
            known.add(self.space.words(trial.architecture))
            found.append(trial)
        return found

    def _proposed(self, number: int, trials: Sequence[Trial], known: set[str]) -> Trial | None:
        """Returns a trial of an architecture that is not in `known`, or None if none is found."""
        mixed = [self.settings.seed, zlib.crc32(self.key.encode()), number]
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(mixed)))
        parent = self._parent(trials, generator) if self.strategy == "evolution" and trials else None
        for attempt in range(2 * _TRIES):
            if parent is not None and attempt < _TRIES:  # then it is drawn, if no copy fits
                changed, source = self.space.mutated(trials[parent].architecture, generator), parent
            else:
                changed, source = self.space.drawn(generator), None
            trial = self._trial(changed, source, known)
            if trial is not None:
                return trial
        tried = (self._trial(one, None, known) for one in self.space.cheap())
        return next((trial for trial in tried if trial is not None), None)

    def _trial(self, architecture: Recipe, parent: int | None, known: set[str]) -> Trial | None:
        words = self.space.words(architecture)
        if words in known or words in self._unfit:
            return None
        recipe = self.fitted(architecture)
        if recipe is None:
            self._unfit.add(words)
            return None
        return Trial(architecture, recipe, parent)

    def _parent(self, trials: Sequence[Trial], generator: np.random.Generator) -> int:
        """Returns the number of the best of some members of the population; of equals, the latest."""
        latest = range(max(0, len(trials) - self.settings.population), len(trials))
        size = min(self.settings.tournament, len(latest))
        members = map(int, generator.choice(latest, size, replace=False))
        return max(members, key=lambda number: (trials[number].rank, number))
