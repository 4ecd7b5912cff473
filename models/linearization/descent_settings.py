"""The numbers of a coordinate descent on binary masks as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..job_settings import TrainedJobSettings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DescentSettings(TrainedJobSettings):
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

    job: ClassVar[str] = "descent"

    block_fraction: float = setting(
        0.05, 1e-4, 1, "--block-fraction", "fraction of the ReLUs left that one step removes"
    )
    tries: int = setting(20, 1, 10_000, "--tries", "blocks that one step tries at most")
    tolerance_pct: float = setting(
        0.3,
        0,
        100,
        "--tolerance",
        "drop of training accuracy, in percentage points, up to which a block is taken at once",
    )
    image_count: int = setting(
        1024, 1, 1 << 30, "--judging-images", "training images on which a block is judged"
    )
    step_epochs: int = setting(1, 0, 1000, "--step-epochs", "epochs after each step")
    learning_rate: float = setting(
        1e-3, 1e-12, 1e6, "--descent-learning-rate", "learning rate of these epochs"
    )

    @property
    def epoch_count(self) -> int:
        """The number of epochs between two steps, at least 1."""
        return max(1, self.step_epochs)

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
