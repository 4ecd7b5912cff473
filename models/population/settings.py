"""The numbers of population-based training as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..job_settings import JobSettings, setting

FIRST_RATES = (0.1, 0.01, 0.001, 0.0001)
"""The learning rates of which each member draws its first one, those of DELPHI's public code."""
RATES, MOMENTA = (1e-4, 1.0), (0.5, 1.0)
"""The ranges of which a copied member may draw a learning rate and a momentum, those of DELPHI's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationSettings(JobSettings):
    """The settings of population-based training. Numbers of members, generations and epochs are DELPHI's.

    Attributes:
        members: the number of networks that are trained at once; 0 for none, so that plans follow from gain
            per risk.
        generations: the number of generations.
        generation_epochs: the epochs of a generation.
        exchange_generations: the generations between two exchanges, in which the worst members continue from
            the best.
        exchanged_fraction: the fraction of the members that continue from others.
        drawn_fraction: the probability that a copied member draws its learning rate and momentum anew. Else
            both change by a fifth.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = PopulationSettings(members=10)
    >>> settings.epoch_count, settings.exchanged_count, settings.exchanges_before(20)
    (300, 2, True)
    """

    job: ClassVar[str] = "population"

    members: int = setting(
        0,
        0,
        1000,
        "--population",
        "networks that population-based training trains at once per budget, in place of sensitivities; 0 for "
        "none",
    )
    generations: int = setting(30, 1, 100_000, "--generations", "generations of a population")
    generation_epochs: int = setting(10, 1, 100_000, "--generation-epochs", "epochs of a generation")
    exchange_generations: int = setting(
        10,
        1,
        100_000,
        "--exchange-generations",
        "generations between two exchanges, in which the worst members continue from the best ones",
    )
    exchanged_fraction: float = setting(0.25, 0, 0.5)
    drawn_fraction: float = setting(0.25, 0, 1)

    @property
    def epoch_count(self) -> int:
        """The number of epochs of all generations."""
        return self.generations * self.generation_epochs

    @property
    def exchanged_count(self) -> int:
        """The number of members that continue from others in an exchange."""
        return int(self.exchanged_fraction * self.members)

    def exchanges_before(self, number: int) -> bool:
        """Returns whether members are exchanged before generation `number`, from 0."""
        return number > 0 and number % self.exchange_generations == 0
