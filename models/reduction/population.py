"""Population-based training of plans within a budget, as DELPHI's planner has it, on the jobs of a search.

    population/B/generation-G/M    member M in generation G (`population.member`)
    population/B/generations.csv   learning rate, momentum, accuracy and score of each member each time

Each member has a plan within the budget, drawn at random, and a learning rate. From time to time, the members
with the lowest scores continue from copies of the best ones, plan included, with other learning rates and
momenta. All draws follow from the seed, the generation and the member, so a resumed population equals one
that was never stopped. States that no later generation continues from are deleted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pi_bench.errors import DivergedError

from ..planning import delphi_score, time_score
from ..population.member import MEMBER_FILE
from ..population.settings import FIRST_RATES, MOMENTA, RATES, PopulationSettings
from ..training import TrainingSettings
from ..training.logs import write_rows
from ..training.training_files import START_FILE
from .candidate import judging_accuracy_pct
from .plan_costs import PlanCosts, in_words
from .time_budgets import Budget
from .trainings import Trainings

GENERATIONS_FILE = "generations.csv"
_CHANGE = (0.8, 1.2)


@dataclass(frozen=True, slots=True)
class Member:
    """One network of a population in one generation.

    Attributes:
        choices: the choices for its layers.
        learning_rate: its learning rate.
        momentum: its momentum.
        lineage: learning rate, momentum and member of every generation so far, as JSON values.
        source: the member that it continues from; None if it starts from the teacher.
        accuracy_pct: its accuracy after the generation, None before.
        score: its score after the generation.

    >>> Member({"stem.relu": "linear"}, 0.1, 0.9).source is None
    True
    """

    choices: Mapping[str, str]
    learning_rate: float
    momentum: float
    lineage: tuple[Any, ...] = ()
    source: int | None = None
    accuracy_pct: float | None = None
    score: float = float("-inf")


class Population:
    """The population of one budget.

    Args:
        costs: the costs of plans.
        allowed: the choices that a layer has beside ReLU.
        settings: the numbers of the population.
        training: the settings of a member's training but for its epochs, learning rate and momentum.

    >>> from pi_bench.models import load_recipe
    >>> costs = PlanCosts(load_recipe("resnet18-cifar100-557056"), None)
    >>> settings = PopulationSettings(members=2)
    >>> population = Population(400_000, costs, ("linear",), settings, TrainingSettings())
    >>> [costs.meets(400_000, member.choices) for member in population.drawn()]
    [True, True]
    """

    def __init__(
        self,
        budget: Budget,
        costs: PlanCosts,
        allowed: Sequence[str],
        settings: PopulationSettings,
        training: TrainingSettings,
    ) -> None:
        self._budget, self._costs, self._allowed, self._settings = budget, costs, allowed, settings
        self._training = replace(training, epochs=settings.epoch_count, schedule="constant")

    def drawn(self) -> list[Member]:
        """Returns the members of the first generation."""
        return [self._drawn(member) for member in range(self._settings.members)]

    def exchanged(self, members: Sequence[Member], number: int) -> list[Member]:
        """Returns the members after an exchange before generation `number`.

        Those with the lowest scores, and those that diverged, continue from the best ones.
        """
        count = self._settings.exchanged_count
        ranked = sorted(range(len(members)), key=lambda member: (-members[member].score, member))
        best = [m for m in ranked[: max(1, count)] if members[m].accuracy_pct is not None]
        worst = {*ranked[len(ranked) - count :], *(m for m in ranked if members[m].accuracy_pct is None)}
        found = list(members)
        for member in sorted(worst - set(best)):
            generator = self._generator(number, member)
            source = best[int(generator.integers(len(best)))]
            found[member] = self._changed(replace(members[source], source=source), generator)
        return found

    def _drawn(self, member: int) -> Member:
        generator = self._generator(0, member)
        paths = [path for path, _ in self._costs.base.relu_shapes()]
        choices: dict[str, str] = {}
        for place in generator.permutation(len(paths)):
            choices[paths[place]] = str(generator.choice(self._allowed))
            if self._costs.meets(self._budget, choices):
                break
        else:  # the least that the choices reach, which the budget allows
            uniform = [{path: choice for path in paths} for choice in self._allowed]
            choices = min(uniform, key=self._costs.cost)
        return Member(choices, float(generator.choice(FIRST_RATES)), self._training.momentum)

    def _changed(self, member: Member, generator: np.random.Generator) -> Member:
        if generator.random() < self._settings.drawn_fraction:
            rate, momentum = generator.uniform(*RATES), generator.uniform(*MOMENTA)
        else:
            rate = np.clip(member.learning_rate * generator.choice(_CHANGE), *RATES)
            momentum = np.clip(member.momentum * generator.choice(_CHANGE), *MOMENTA)
        return replace(member, learning_rate=float(rate), momentum=float(momentum))

    def _generator(self, number: int, member: int) -> np.random.Generator:
        mixed = [self._settings.seed, zlib.crc32(str(self._budget).encode()), number, member]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(mixed)))

    def evolved(
        self, trainings: Trainings, teacher: Path, say: Callable[[str], None]
    ) -> tuple[dict[str, str], Path]:
        """Trains all generations in the folder of a search, or resumes them.

        Returns:
            The choices of the best member, and the path of its weights.

        Raises:
            DivergedError: All members diverged.
        """
        root = trainings.root / "population" / str(self._budget)
        members, rows = self.drawn(), []
        for number in range(self._settings.generations):
            if self._settings.exchanges_before(number):
                members = self.exchanged(members, number)
            members = self._trained(trainings, teacher, root, members, number)
            rows += [
                {
                    "generation": number,
                    "member": place,
                    "from": "" if member.source is None else member.source,
                    "learning_rate": member.learning_rate,
                    "momentum": member.momentum,
                    "accuracy_pct": "" if member.accuracy_pct is None else round(member.accuracy_pct, 4),
                    "score": "" if member.accuracy_pct is None else round(member.score, 4),
                    "plan": in_words(member.choices),
                }
                for place, member in enumerate(members)
            ]
            write_rows(root / GENERATIONS_FILE, rows)
            if all(member.accuracy_pct is None for member in members):
                raise DivergedError(f"all members of the population for --budget {self._budget} diverged")
            members = [replace(member, source=place) for place, member in enumerate(members)]
        best = max(range(len(members)), key=lambda place: (members[place].score, -place))
        rate = f"a learning rate of {members[best].learning_rate:.2g}"
        say(f"  population for --budget {self._budget}: member {best} is the best, at {rate}")
        return dict(members[best].choices), self._folder(
            root, self._settings.generations - 1, best
        ) / START_FILE

    def _trained(
        self, trainings: Trainings, teacher: Path, root: Path, members: Sequence[Member], number: int
    ) -> list[Member]:
        """Trains the members for a generation. One that diverged waits for the next exchange."""
        size = self._settings.generation_epochs
        found, jobs = list(members), {}
        for place, member in enumerate(members):
            if number and member.accuracy_pct is None:
                continue
            step = [member.learning_rate, member.momentum, member.source]
            found[place] = member = replace(member, lineage=(*member.lineage, step))
            start = None if member.source is None else self._folder(root, number - 1, member.source)
            settings = replace(self._training, learning_rate=member.learning_rate, momentum=member.momentum)
            jobs[place] = trainings.job(
                "train-member",
                f"{self._budget}-generation-{number}-member-{place}",
                self._costs.recipe(member.choices),
                self._folder(root, number, place),
                settings=settings.as_dict(),
                epochs=(number * size, (number + 1) * size),
                lineage=found[place].lineage,
                start="" if start is None else str((start / MEMBER_FILE).absolute()),
                teacher=teacher,
            )
        outcomes = trainings.prepare(list(jobs.values()))
        for place, job in jobs.items():
            result = outcomes[job.name].result
            accuracy = None if result is None else judging_accuracy_pct(result)
            score = float("-inf") if accuracy is None else self._score(found[place], accuracy)
            found[place] = replace(found[place], accuracy_pct=accuracy, score=score)
        for path in root.glob(f"generation-{number - 1}/*/*.pt"):  # no later generation continues from them
            path.unlink()
        return found

    def _score(self, member: Member, accuracy_pct: float) -> float:
        """Returns DELPHI's score of a member, or that by predicted time if the objective is time."""
        base, costs = self._costs.base, self._costs
        if costs.objective is not None:
            return time_score(accuracy_pct, costs.seconds(member.choices), costs.seconds({}))
        left = costs.recipe(member.choices).relu_count
        return delphi_score(accuracy_pct, base.relu_count - left, base.relu_count)

    def _folder(self, root: Path, number: int, member: int) -> Path:
        return root / f"generation-{number}" / str(member)
