"""The numbers of the choice of pruning criteria as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..job_settings import JobSettings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class CriteriaSettings(JobSettings):
    """The settings of the choice of a pruning criterion per layer. The paper's values were not at hand.

    The pruned network is judged on validation images. With a `validation_fraction` of 0, it is judged on all
    training images.

    Attributes:
        step_count: the number of batches on which criteria are sampled.
        learning_rate: the rate of Adam for the probabilities' logits.
        temperatures: the first and the last temperature of the Gumbel-softmax, between which it falls
            linearly.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = CriteriaSettings(step_count=3)
    >>> [round(settings.temperature_at(step), 2) for step in range(3)]
    [1.0, 0.55, 0.1]
    """

    job: ClassVar[str] = "sampling"

    step_count: int = setting(200, 1, 1_000_000, "--sampling-steps", "batches on which criteria are sampled")
    learning_rate: float = setting(
        0.05, 1e-12, 1e3, "--sampling-learning-rate", "learning rate of the criteria's probabilities"
    )
    temperatures: tuple[float, float] = setting((1.0, 0.1), 1e-3, 1e3)
    batch_size: int = setting(128, 2, 1 << 20)

    def temperature_at(self, step: int) -> float:
        """Returns the temperature at a step; steps count from 0."""
        first, last = self.temperatures
        return first + (last - first) * step / max(1, self.step_count - 1)
