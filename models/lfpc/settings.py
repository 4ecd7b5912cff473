"""The numbers of the choice of pruning criteria as data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pi_bench.errors import UsageError

from ..training.settings import PRECISIONS


@dataclass(frozen=True, slots=True)
class CriteriaSettings:
    """The settings of the choice of a pruning criterion per layer. The paper's values were not at hand.

    Attributes:
        step_count: the number of batches on which criteria are sampled.
        learning_rate: the rate of Adam for the probabilities' logits.
        temperatures: the first and the last temperature of the Gumbel-softmax, between which it falls
            linearly.
        precision: the precision of the forward pass, as for `TrainingSettings`.
        validation_fraction: the fraction of the training images on which the pruned network is judged; with
            0, all training images are.
        seed: decides batches and samples.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = CriteriaSettings(step_count=3)
    >>> [round(settings.temperature_at(step), 2) for step in range(3)]
    [1.0, 0.55, 0.1]
    """

    step_count: int = 200
    learning_rate: float = 0.05
    temperatures: tuple[float, float] = (1.0, 0.1)
    batch_size: int = 128
    precision: str = "auto"
    validation_fraction: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks every value."""
        limits: dict[str, tuple[float, float]] = {
            "step_count": (1, 1_000_000),
            "learning_rate": (1e-12, 1e3),
            "batch_size": (2, 1 << 20),
            "validation_fraction": (0, 0.9),
            "seed": (0, (1 << 63) - 1),
        }
        values = [(name, getattr(self, name), *limit) for name, limit in limits.items()]
        values += [("temperatures", one, 1e-3, 1e3) for one in self.temperatures]
        for name, value, low, high in values:
            if not low <= value <= high:
                raise UsageError(f"sampling: {name} is {value}, allowed: {low:g} to {high:g}")
        if self.precision not in PRECISIONS:
            raise UsageError(f"sampling: precision is {self.precision!r}, allowed: {', '.join(PRECISIONS)}")

    def temperature_at(self, step: int) -> float:
        """Returns the temperature at a step; steps count from 0."""
        first, last = self.temperatures
        return first + (last - first) * step / max(1, self.step_count - 1)

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "temperatures": list(self.temperatures)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CriteriaSettings:
        """Returns the settings that `as_dict` returned.

        >>> CriteriaSettings.from_dict(CriteriaSettings(seed=7).as_dict()).seed
        7
        """
        return cls(**{**values, "temperatures": tuple(values["temperatures"])})
