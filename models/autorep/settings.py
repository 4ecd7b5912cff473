"""The numbers of AutoReP's replacement of ReLUs as data. The defaults are those of the public code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..data_defaults import defaults_for
from ..job_settings import TrainedJobSettings, setting
from ..training import TrainingSettings

VARIANTS = ("corrected", "paper")
_GRADIENT_LIMIT = 2.0
_RANGE_PENALTY = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementSettings(TrainedJobSettings):
    """The settings of a training that replaces ReLUs by quadratics.

    Attributes:
        variant: "corrected" for quadratics that start nearest to ReLU, "paper" for those of the public code.
        epochs: the number of epochs.
        learning_rate: that of weights and quadratics at the start; it falls as a cosine.
        indicator_learning_rate: that of the values behind the indicators.
        hysteresis: t; an indicator becomes 0 where its value falls to -t, and 1 again where it rises above t.
        density_weight: lambda, the weight of the penalty on indicators beyond the budget.
        square_factor: the factor of squares in the variant "paper"; the code has 0.1 for CIFAR.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> ReplacementSettings(epochs=3).training.schedule
    'cosine'
    """

    job: ClassVar[str] = "replacement"
    optimizer: ClassVar[str] = "adam"
    weight_decay: ClassVar[float] = 0.0

    variant: str = setting("corrected", allowed=VARIANTS)
    epochs: int = setting(200, 1, 100_000, "--replacement-epochs", "number of epochs of the replacement")
    learning_rate: float = setting(
        1e-3, 1e-12, 1e6, "--replacement-learning-rate", "learning rate of Adam for weights and quadratics"
    )
    indicator_learning_rate: float = setting(
        1e-3, 1e-12, 1e6, "--indicator-learning-rate", "learning rate of Adam for the indicators"
    )
    hysteresis: float = setting(
        3e-3, 0, 1, "--hysteresis", "half of the range of values in which an indicator stays as it is"
    )
    density_weight: float = setting(
        140.0, 0, 1e6, "--density-weight", "penalty on the fraction of ReLUs beyond the budget, lambda"
    )
    square_factor: float = setting(
        0.1, 1e-6, 1e3, "--square-factor", "with --variant paper: factor of the squares"
    )

    @property
    def epoch_count(self) -> int:
        """The number of epochs of the training."""
        return self.epochs

    @property
    def is_corrected(self) -> bool:
        """Whether the variant is "corrected"."""
        return self.variant == "corrected"

    @property
    def training(self) -> TrainingSettings:
        """The settings of the training. The corrected variant limits gradients and inputs of quadratics."""
        trained = replace(super(ReplacementSettings, self).training, schedule="cosine")
        if self.is_corrected:
            return replace(trained, gradient_limit=_GRADIENT_LIMIT, range_penalty=_RANGE_PENALTY)
        return trained


def default_replacement(data: str) -> dict[str, Any]:
    """Returns the settings for the data set `data` that differ from the defaults.

    >>> default_replacement("digits")["epochs"], default_replacement("cifar100")
    (60, {})
    """
    return defaults_for(data, "replacement")
