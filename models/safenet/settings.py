"""The numbers of the choice of a kind per channel as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..job_settings import TrainedJobSettings, setting

_CHOOSING = 2 / 3
"""The part of the epochs in which kinds are chosen. In the others, each channel settles on its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationSettings(TrainedJobSettings):
    """The settings of the choice of a kind per channel. All of them are ours.

    Attributes:
        epochs: the number of epochs in which kinds are chosen. Adam trains the network and the choice
            together.
        choice_rate: the learning rate of the choice; `learning_rate` is that of the network.
        cost_weight: the weight of the distance of the expected cost from the wanted one. The distance is a
            fraction of the cost of the full network.
        temperatures: the temperature of the softmax at the start and at the end of the choice, between which
            it falls linearly from batch to batch.
        least_fraction: a kind that fewer channels of a layer have is left out of that layer.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = RelaxationSettings(epochs=3)
    >>> [round(settings.temperature_at(done), 2) for done in (0, 1, 2, 3)]
    [1.0, 0.55, 0.1, 0.1]
    """

    job: ClassVar[str] = "relaxation"
    optimizer: ClassVar[str] = "adam"
    weight_decay: ClassVar[float] = 0.0
    gradient_limit: ClassVar[float] = 2.0
    range_penalty: ClassVar[float] = 1e-3

    epochs: int = setting(
        20, 1, 100_000, "--choice-epochs", "epochs in which the kinds of channels are chosen"
    )
    choice_rate: float = setting(
        0.05, 1e-12, 1e3, "--choice-learning-rate", "learning rate of Adam for the choice"
    )
    learning_rate: float = setting(
        1e-3, 1e-12, 1e6, "--relaxed-learning-rate", "learning rate of Adam for the network meanwhile"
    )
    cost_weight: float = setting(
        10.0,
        0,
        1e6,
        "--cost-weight",
        "weight of the distance between expected and wanted cost, as a fraction of the full network's cost",
    )
    temperatures: tuple[float, float] = setting((1.0, 0.1), 1e-3, 1e3)
    least_fraction: float = setting(
        0.05,
        0,
        0.5,
        "--least-fraction",
        "fraction of a layer's channels below which a kind is left out of the layer",
    )

    @property
    def epoch_count(self) -> int:
        """The number of epochs of the training."""
        return self.epochs

    def wanted_cost_at(self, done: float, first: float, budget: float) -> float:
        """Returns the cost that is wanted after a number of epochs.

        It falls linearly from `first`, the expected cost at the start, to `budget`, in half of the epochs. A
        sudden penalty would remove ReLUs everywhere before the training can tell which ones matter. A wanted
        cost above the expected one would make all channels ReLUs for good.

        >>> settings = RelaxationSettings(epochs=6)
        >>> [settings.wanted_cost_at(done, 400.0, 100.0) for done in (0, 1, 2, 3, 6)]
        [400.0, 300.0, 200.0, 100.0, 100.0]
        """
        return max(budget, first + (budget - first) * done / (self.epochs / 2))

    def temperature_at(self, done: float) -> float:
        """Returns the temperature after a number of epochs. It falls while kinds are chosen."""
        first, last = self.temperatures
        return first + (last - first) * min(1.0, done / (self.epochs * _CHOOSING))

    def settled_at(self, done: float) -> float:
        """Returns the part of the chosen kinds after a number of epochs; below 0 until they are chosen.

        >>> settings = RelaxationSettings(epochs=3)
        >>> [round(settings.settled_at(done), 2) for done in (1.5, 2, 2.5, 3)]
        [-0.5, 0.0, 0.5, 1.0]
        """
        begin = self.epochs * _CHOOSING
        return (done - begin) / (self.epochs - begin)
