"""The settings of an architecture search, and the numbers of them that contradict each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from pi_bench.errors import UsageError

from ..architectures.evolution import STRATEGIES
from ..architectures.settings import NasSettings
from ..architectures.sphynx_space import SphynxSpace
from ..darts.settings import DartsSettings
from ..training import TrainingSettings
from .time_budgets import Budget
from .trainings import SearchSettings

DARTS = "darts"
"""The strategy by which candidates are the cells of relaxed networks and not proposed one after another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NasSearchSettings(SearchSettings):
    """The settings of an architecture search.

    Attributes:
        budgets: the numbers of ReLUs or the predicted times, one search per budget.
        space: the name of the space.
        strategy: the way in which candidates are proposed, of `evolution.STRATEGIES`, or "darts".
        nas: the numbers of the search. With "darts", `candidates` counts relaxed networks, and cells have the
            number and the reductions of the base network.
        darts: the settings of the training of the first relaxed network, for "darts" alone. Each further one
            has the next seed.
        judging: the settings of the short trainings.
        training: the settings of the full trainings, whose seed follows from that of these settings.

    Raises:
        UsageError: There is no such strategy or not in this space, there are no validation images, or numbers
            contradict each other.

    >>> from pathlib import Path
    >>> trained = TrainingSettings()
    >>> NasSearchSettings(
    ...     budgets=(5000,), space="sphynx", judging=trained, training=trained,
    ...     data_dir=Path("data"), device="cpu", threads=1,
    ... ).strategy
    'evolution'
    """

    budgets: tuple[Budget, ...]
    space: str
    strategy: str = "evolution"
    nas: NasSettings = field(default_factory=NasSettings)
    darts: DartsSettings = field(default_factory=DartsSettings)
    judging: TrainingSettings
    training: TrainingSettings

    def __post_init__(self) -> None:
        """Checks the strategy, that there are validation images, and the numbers that belong together."""
        self.nas.require_together()
        allowed = (*STRATEGIES, DARTS)
        if self.strategy not in allowed:
            raise UsageError(f"strategy is {self.strategy!r}, allowed: {', '.join(allowed)}")
        if self.strategy == DARTS and self.space != SphynxSpace.name:
            raise UsageError(f"--search {DARTS} goes with --space {SphynxSpace.name}, whose cells it weighs")
        if not self.judging.validation_fraction:
            raise UsageError(
                "--validation 0: candidates are judged on validation images: use a fraction above 0"
            )
