"""The settings of SNL's linearization (Cho et al., ICML 2022, Algorithm 1).

The defaults are those of the published code.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pi_bench.errors import UsageError
from pi_bench.unknown_name import similar_names

from ..data.data_sets import SOURCES
from ..training import TrainingSettings

GRANULARITIES = ("pixel", "channel")


@dataclass(frozen=True, slots=True)
class LinearizationSettings:
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

    masks: str = "pixel"
    learning_rate: float = 1e-3
    lasso: float = 1e-5
    lasso_growth: float = 1.1
    threshold: float = 1e-2
    epoch_limit: int = 2000
    batch_size: int = 128
    temperature: float = 4.0
    precision: str = "auto"
    validation_fraction: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks every value."""
        if self.masks not in GRANULARITIES:
            near = f"; {question}" if (question := similar_names(self.masks, GRANULARITIES)) else ""
            raise UsageError(
                f"linearization: masks is {self.masks!r}, allowed: {', '.join(GRANULARITIES)}{near}"
            )
        limits = {"lasso": (1e-12, 1e3), "lasso_growth": (1.0001, 100), "threshold": (0, 0.99)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"linearization: {name} is {value}, allowed: {low:g} to {high:g}")
        self.training  # noqa: B018  it checks the rest

    @property
    def training(self) -> TrainingSettings:
        """The settings of the training that the linearization is."""
        return TrainingSettings(
            epochs=self.epoch_limit,
            batch_size=self.batch_size,
            optimizer="adam",
            learning_rate=self.learning_rate,
            weight_decay=0.0,
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


def default_linearization(data: str) -> dict[str, Any]:
    """Returns the linearization settings for the data set `data` that differ from the defaults.

    >>> default_linearization("digits")["epoch_limit"], default_linearization("cifar100")
    (400, {})
    """
    return dict(SOURCES[data].linearization) if data in SOURCES else {}


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
    return settings | (dict(SOURCES[data].finetuning) if data in SOURCES else {})
