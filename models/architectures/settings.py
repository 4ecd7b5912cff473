"""The numbers of an architecture search as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pi_bench.errors import UsageError

from ..job_settings import JobSettings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class NasSettings(JobSettings):
    """The settings of an architecture search. Regularized evolution is that of Real et al., AAAI 2019.

    Attributes:
        candidates: the number of architectures that are trained for a few epochs, per budget.
        finals: the number of the best of them that are trained in full.
        population: the number of the latest candidates among which evolution looks for parents. As many are
            drawn at random first.
        tournament: the number of members of the population that are drawn each time, of which the best one
            is the parent.
        children: the number of candidates that evolution proposes at once, from the same population.
        least_layers, most_layers: the range of the number of layers, or of cells.
        most_width: the largest number of channels of the first stage.
        skip_probability: the probability of each skip of CryptoNAS, that of the prior of its public code.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> NasSettings(candidates=8, finals=2).population
    10
    """

    job: ClassVar[str] = "architecture search"

    candidates: int = setting(30, 1, 100_000, "--candidates", "architectures that are tried per budget")
    finals: int = setting(3, 1, 100_000, "--finals", "best candidates that are trained in full per budget")
    population: int = setting(
        10, 1, 100_000, "--population", "latest candidates among which evolution looks for parents"
    )
    tournament: int = setting(
        3, 1, 100_000, "--tournament", "members of the population that compete to be a parent"
    )
    children: int = setting(
        5, 1, 100_000, "--children", "candidates that evolution proposes at once, which can run in parallel"
    )
    least_layers: int = setting(3, 1, 64, "--least-layers", "least number of layers, or of cells")
    most_layers: int = setting(12, 1, 64, "--most-layers", "largest number of layers, or of cells")
    most_width: int = setting(256, 2, 4096, "--most-width", "largest number of channels of the first stage")
    skip_probability: float = setting(0.4, 0, 1)

    def require_together(self) -> None:
        """Checks the values that belong together.

        Raises:
            UsageError: Two of them contradict each other.

        >>> NasSettings(candidates=2, finals=3).require_together()
        Traceback (most recent call last):
        pi_bench.errors.UsageError: --finals 3 is more than --candidates 2
        """
        entries = self.entries()
        for small, large in (
            ("finals", "candidates"),
            ("tournament", "population"),
            ("least_layers", "most_layers"),
        ):
            values = getattr(self, small), getattr(self, large)
            if values[0] > values[1]:
                flags = entries[small].flag, entries[large].flag
                raise UsageError(f"{flags[0]} {values[0]} is more than {flags[1]} {values[1]}")

    def identity(self) -> dict[str, Any]:
        """Returns the JSON values that tell a search from others.

        More candidates continue the same search, and so do more finals, so that both are left out.

        >>> "candidates" in NasSettings().identity()
        False
        """
        return {name: value for name, value in self.as_dict().items() if name not in ("candidates", "finals")}
