"""The numbers of a coordinate descent on binary masks as data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pi_bench.errors import UsageError

from ..training import TrainingSettings


@dataclass(frozen=True, slots=True)
class DescentSettings:
    """The settings of a coordinate descent on binary masks.

    The starting point are the settings of its predecessor's code: blocks of 100 to 200 ReLUs, up to 50 to
    100 tries on all training images, and 20 epochs of finetuning per block. Here a block is a fraction of the
    ReLUs that are left. Tries look at a fixed number of training images, and one epoch follows, so that a
    descent costs few epochs.

    Attributes:
        block_fraction: the fraction of the ReLUs left that one step removes.
        tries: the largest number of blocks that one step tries.
        tolerance_pct: the drop of accuracy, in percentage points, up to which a block is accepted at once.
        image_count: the training images on which a block is judged.
        step_epochs: epochs of training after each step.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = DescentSettings(block_fraction=0.5)
    >>> settings.removed(100, 60), settings.removed(100, 10)
    (40, 50)
    """

    block_fraction: float = 0.05
    tries: int = 20
    tolerance_pct: float = 0.3
    image_count: int = 1024
    step_epochs: int = 1
    learning_rate: float = 1e-3
    batch_size: int = 128
    temperature: float = 4.0
    precision: str = "auto"
    validation_fraction: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks every value."""
        limits: dict[str, tuple[float, float]] = {
            "block_fraction": (1e-4, 1),
            "tries": (1, 10_000),
            "tolerance_pct": (0, 100),
            "image_count": (1, 1 << 30),
            "step_epochs": (0, 1000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"descent: {name} is {value}, allowed: {low:g} to {high:g}")
        self.training  # noqa: B018  it checks the rest

    def removed(self, count: int, budget: int) -> int:
        """Returns the number of ReLUs that a step removes of `count`, which leaves `budget` or more."""
        return min(max(1, round(self.block_fraction * count)), count - budget)

    def step_count(self, start: int, budget: int) -> int:
        """Returns the number of steps from `start` ReLUs to `budget`."""
        steps, left = 0, start
        while left > budget:
            left -= self.removed(left, budget)
            steps += 1
        return steps

    @property
    def training(self) -> TrainingSettings:
        """The settings of the epochs between steps."""
        return TrainingSettings(
            epochs=max(1, self.step_epochs),
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
