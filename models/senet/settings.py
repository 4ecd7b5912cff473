"""The numbers of SENet's choice of masks as data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pi_bench.errors import UsageError

from ..training import TrainingSettings

PRAM_WEIGHT = 1000.0
"""The weight beta of the matching of activation maps in the finetuning."""


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """The settings of SENet's choice of masks.

    Attributes:
        density: the fraction of the weights that pruning keeps, from which ReLU sensitivities follow.
        settled: the fraction of the masks below which a change between two epochs ends the choice.
        epoch_limit: the largest number of epochs of the choice.
        image_count: the training images on which maps are compared.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> SelectionSettings(epoch_limit=3).training.epochs
    3
    """

    density: float = 0.1
    settled: float = 0.01
    epoch_limit: int = 20
    image_count: int = 1024
    learning_rate: float = 1e-2
    batch_size: int = 128
    temperature: float = 4.0
    precision: str = "auto"
    validation_fraction: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks every value."""
        limits: dict[str, tuple[float, float]] = {
            "density": (1e-4, 0.99),
            "settled": (0, 1),
            "epoch_limit": (1, 100_000),
            "image_count": (1, 1 << 30),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"selection: {name} is {value}, allowed: {low:g} to {high:g}")
        self.training  # noqa: B018  it checks the rest

    @property
    def training(self) -> TrainingSettings:
        """The settings of the training in which masks are chosen."""
        return TrainingSettings(
            epochs=self.epoch_limit,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=5e-4,
            schedule="constant",
            temperature=self.temperature,
            hard_weight=1.0,
            soft_weight=1.0,
            precision=self.precision,
            validation_fraction=self.validation_fraction,
            seed=self.seed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
