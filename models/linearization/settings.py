"""The settings of SNL's linearization (Cho et al., ICML 2022, Algorithm 1).

The defaults are those of the published code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..data_defaults import defaults_for
from ..job_settings import TrainedJobSettings, setting

GRANULARITIES = ("pixel", "channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearizationSettings(TrainedJobSettings):
    """The settings of a linearization: one Adam trains masks and weights.

    The loss is cross-entropy + distillation + lasso * |masks|_1.

    Attributes:
        masks: "pixel" for one mask per ReLU, "channel" for one per channel.
        lasso: lambda at the start.
        lasso_growth: kappa, the factor by which lambda grows.
        threshold: epsilon; a mask above it is a ReLU.
        epoch_limit: the number of epochs after which a linearization fails.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> LinearizationSettings(masks="channel").training.optimizer
    'adam'
    """

    job: ClassVar[str] = "linearization"
    optimizer: ClassVar[str] = "adam"
    weight_decay: ClassVar[float] = 0.0

    masks: str = setting("pixel", allowed=GRANULARITIES)
    learning_rate: float = setting(
        1e-3, 1e-12, 1e6, "--mask-learning-rate", "learning rate of Adam for masks and weights"
    )
    lasso: float = setting(1e-5, 1e-12, 1e3, "--lasso", "initial penalty of the masks, lambda in the paper")
    lasso_growth: float = setting(
        1.1,
        1.0001,
        100,
        "--lasso-growth",
        "factor for the penalty after an epoch that removes no ReLU, kappa in the paper",
    )
    threshold: float = setting(
        1e-2, 0, 0.99, "--threshold", "value above which a mask keeps its ReLU, epsilon in the paper"
    )
    epoch_limit: int = setting(
        2000, 1, 100_000, "--epoch-limit", "largest number of epochs of the linearization"
    )

    @property
    def epoch_count(self) -> int:
        """The largest number of epochs of the training."""
        return self.epoch_limit


def default_linearization(data: str) -> dict[str, Any]:
    """Returns the linearization settings for the data set `data` that differ from the defaults.

    >>> default_linearization("digits")["epoch_limit"], default_linearization("cifar100")
    (400, {})
    """
    return defaults_for(data, "linearization")


def default_finetuning(data: str) -> dict[str, Any]:
    """Returns the settings of a finetuning with frozen masks on the data set `data`.

    >>> default_finetuning("digits")["epochs"], default_finetuning("cifar100")["epochs"]
    (10, 100)
    """
    settings = {
        "epochs": 100,
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "weight_decay": 5e-4,
        "hard_weight": 1.0,
        "soft_weight": 1.0,
    }
    return settings | defaults_for(data, "finetuning")
