"""The numbers of the choice of a kind per channel as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..job_settings import TrainedJobSettings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationSettings(TrainedJobSettings):
    """The settings of the choice of a kind per channel. All of them are ours.

    Attributes:
        epochs: the number of epochs in which kinds are chosen. Adam trains the network and the choice
            together.
        choice_rate: the learning rate of the choice; `learning_rate` is that of the network.
        cost_weight: the weight of the distance of the expected cost from the wanted one. The distance is a
            fraction of the cost of the full network.
        temperatures: the temperature of the softmax in the first epoch and in the last one, between which it
            falls linearly.
        least_fraction: a kind that fewer channels of a layer have is left out of that layer.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> settings = RelaxationSettings(epochs=3)
    >>> [round(settings.temperature_at(epoch), 2) for epoch in range(3)]
    [1.0, 0.55, 0.1]
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

    def wanted_cost_at(self, epoch: int, full: float, budget: float) -> float:
        """Returns the cost that an epoch, from 0, wants.

        It falls linearly from the cost `full` of the full network to `budget`, in two thirds of the epochs. A
        sudden penalty would remove ReLUs everywhere before the training can tell which ones matter.

        >>> settings = RelaxationSettings(epochs=6)
        >>> [settings.wanted_cost_at(epoch, 500.0, 100.0) for epoch in range(6)]
        [400.0, 300.0, 200.0, 100.0, 100.0, 100.0]
        """
        falling = max(1, self.epochs * 2 // 3)
        return max(budget, full + (budget - full) * (epoch + 1) / falling)

    def temperature_at(self, epoch: int) -> float:
        """Returns the temperature of an epoch, from 0."""
        first, last = self.temperatures
        return first + (last - first) * epoch / max(1, self.epochs - 1)
