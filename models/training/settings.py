"""The settings of a training as data. The defaults are those of the papers."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from pi_bench.errors import UsageError
from pi_bench.unknown_name import similar_names

from ..data_defaults import defaults_for

OPTIMIZERS = ("sgd", "adam")
SCHEDULES = ("step", "cosine", "constant")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """The settings of a training with SGD or Adam, and with distillation if there is a teacher.

    The defaults are those of DeepReDuce (Jha et al., ICML 2021, section 4): 120 epochs, the learning rate
    divided by ten after each quarter of them, temperature 4, and weights 0.9 and 0.1 for the labels and for
    the teacher.

    Attributes:
        schedule: "step", "cosine" or "constant" (`learning_rate_at`).
        precision: the precision of the forward pass; "auto" is bfloat16 on a GPU that has it, else float32.
        gradient_limit: the largest absolute value of a gradient's element; 0 for no limit.
        interpolation: the fraction of the epochs in which polynomials replace ReLUs from batch to batch
            (`relu_part_at`); 0 for polynomials from the start.
        range_penalty: the weight of the penalty on inputs of polynomials beyond `range_limit`; 0 for none.
        map_weight: the weight of the matching of activation maps with the teacher's (`map_matching`); 0 for
            none.
        validation_fraction: the fraction of the training images that chooses the epoch; with 0 the last
            epoch is kept.
        seed: decides weights, order and augmentation.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = TrainingSettings(epochs=8)
    >>> [round(settings.learning_rate_at(epoch), 4) for epoch in (0, 2, 4, 6)]
    [0.1, 0.01, 0.001, 0.0001]
    """

    epochs: int = 120
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 4e-4
    schedule: str = "step"
    temperature: float = 4.0
    hard_weight: float = 0.9
    soft_weight: float = 0.1
    precision: str = "auto"
    validation_fraction: float = 0.1
    seed: int = 1
    gradient_limit: float = 0.0
    interpolation: float = 0.0
    range_penalty: float = 0.0
    range_limit: float = 4.8
    map_weight: float = 0.0

    def __post_init__(self) -> None:
        """Checks every value."""
        limits: dict[str, tuple[float, float]] = {
            "epochs": (1, 100_000),
            "batch_size": (1, 1 << 20),
            "learning_rate": (1e-12, 1e6),
            "momentum": (0, 1),
            "weight_decay": (0, 1e3),
            "temperature": (1e-3, 1e3),
            "hard_weight": (0, 1),
            "soft_weight": (0, 1),
            "validation_fraction": (0, 0.9),
            "seed": (0, (1 << 63) - 1),
            "gradient_limit": (0, 1e6),
            "interpolation": (0, 0.9),
            "range_penalty": (0, 1e3),
            "range_limit": (0.1, 1e3),
            "map_weight": (0, 1e6),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"training: {name} is {value}, allowed: {low:g} to {high:g}")
        words = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                value = getattr(self, name)
                near = f"; {question}" if (question := similar_names(value, allowed)) else ""
                raise UsageError(f"training: {name} is {value!r}, allowed: {', '.join(allowed)}{near}")

    def learning_rate_at(self, epoch: int) -> float:
        """Returns the learning rate of an epoch, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
        return self.learning_rate * 0.1 ** (epoch // max(1, self.epochs // 4))

    def relu_part_at(self, done: float) -> float:
        """Returns the part of ReLU in polynomials after a number of epochs, which falls linearly to 0.

        >>> settings = TrainingSettings(epochs=3, interpolation=0.5)
        >>> [round(settings.relu_part_at(done), 2) for done in (0, 0.75, 1.5, 3)]
        [1.0, 0.5, 0.0, 0.0]
        """
        replacing = self.interpolation * self.epochs
        return max(0.0, 1 - done / replacing) if replacing else 0.0

    def advice(self, rate_option: str) -> str:
        """Returns the advice to a user whose training diverges.

        Args:
            rate_option: the option of the command that sets the learning rate.
        """
        return f"use a lower {rate_option} than {self.learning_rate:g}"

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON values.

        Leaves out later settings that have their defaults, so that folders of earlier versions can
        be resumed.
        """
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in _ADDED or getattr(self, field.name) != field.default
        }


_ADDED = ("gradient_limit", "interpolation", "range_penalty", "range_limit", "map_weight")
_POLYNOMIALS = {"gradient_limit": 2.0, "interpolation": 1 / 3, "range_penalty": 1e-3}
"""Limit and interpolation are those of DELPHI's public code, which replaces in 100 of 300 epochs."""


def default_settings(data: str, *, polynomials: bool = False) -> dict[str, Any]:
    """Returns the settings for the data set `data` that differ from the defaults.

    Args:
        polynomials: whether the network has polynomials.

    >>> default_settings("cifar10")
    {'epochs': 150, 'schedule': 'cosine'}
    >>> default_settings("cifar10", polynomials=True)["gradient_limit"]
    2.0
    """
    settings = defaults_for(data, "training")
    return settings | (_POLYNOMIALS if polynomials else {})
