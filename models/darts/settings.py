"""The numbers of the training of relaxed cells as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ..data_defaults import defaults_for
from ..job_settings import JobSettings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DartsSettings(JobSettings):
    """The settings of the training of one relaxed network. Most defaults are those of DARTS on CIFAR-10.

    The decays, limits and momenta that no option changes are those of DARTS too.

    Attributes:
        epochs: the number of epochs.
        width: the channels of the relaxed network, as `Space.with_width` counts them.
        learning_rate: the first learning rate of SGD for the network. It falls to `last_learning_rate` with a
            cosine.
        choice_rate: the learning rate of Adam for the weights of operators and sources.
        time_weight: the weight of the expected predicted time, as a fraction of that of equal weights. It is
            ours, and counts with an objective of time alone.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = DartsSettings(epochs=2)
    >>> [round(settings.learning_rate_at(epoch), 3) for epoch in range(2)]
    [0.025, 0.013]
    """

    job: ClassVar[str] = "relaxation of cells"
    last_learning_rate: ClassVar[float] = 1e-3
    momentum: ClassVar[float] = 0.9
    weight_decay: ClassVar[float] = 3e-4
    gradient_norm_limit: ClassVar[float] = 5.0
    choice_betas: ClassVar[tuple[float, float]] = (0.5, 0.999)
    choice_decay: ClassVar[float] = 1e-3
    held_fraction: ClassVar[float] = 0.5

    epochs: int = setting(
        50, 1, 100_000, "--relaxed-epochs", "epochs in which operators and sources are weighed"
    )
    width: int = setting(16, 2, 4096, "--relaxed-width", "channels of the relaxed network's first stage")
    learning_rate: float = setting(
        0.025, 1e-12, 1e6, "--relaxed-learning-rate", "first learning rate of SGD for the relaxed network"
    )
    choice_rate: float = setting(
        3e-4,
        1e-12,
        1e3,
        "--choice-learning-rate",
        "learning rate of Adam for the weights of operators and sources",
    )
    time_weight: float = setting(
        0.5,
        0,
        1e6,
        "--time-weight",
        "weight of the expected predicted time, as a fraction of that of equal weights",
    )

    def learning_rate_at(self, epoch: int) -> float:
        """Returns the learning rate of the network in an epoch, from 0."""
        part = 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
        return self.last_learning_rate + (self.learning_rate - self.last_learning_rate) * part


def default_cells(data: str) -> dict[str, Any]:
    """Returns the settings for the data set `data` that differ from the defaults.

    >>> default_cells("cifar10"), default_cells("digits")["width"]
    ({}, 2)
    """
    return defaults_for(data, "cells")
