"""The numbers of SENet's choice of masks as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..job_settings import TrainedJobSettings, setting

PRAM_WEIGHT = 1000.0
"""The weight beta of the matching of activation maps in the finetuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionSettings(TrainedJobSettings):
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

    job: ClassVar[str] = "selection"

    density: float = setting(
        0.1,
        1e-4,
        0.99,
        "--density",
        "fraction of the weights that pruning keeps; a layer that keeps few gets many ReLUs",
    )
    settled: float = setting(
        0.01,
        0,
        1,
        "--settled",
        "fraction of the masks below which a change between epochs ends the choice",
    )
    epoch_limit: int = setting(20, 1, 100_000, "--choice-epochs", "largest number of epochs")
    image_count: int = setting(
        1024, 1, 1 << 30, "--compared-images", "training images on which maps are compared"
    )
    learning_rate: float = setting(
        1e-2, 1e-12, 1e6, "--selection-learning-rate", "learning rate of the network while masks are chosen"
    )

    @property
    def epoch_count(self) -> int:
        """The largest number of epochs of the training."""
        return self.epoch_limit
