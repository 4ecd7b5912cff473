"""The settings of the jobs of searches as tables, in which one entry says everything about one setting.

An entry has the default of a setting, its range and its option on the command line. So a job declares each
of its numbers once. `pi-bench reduce` makes its options from the same entries.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from pi_bench.errors import UsageError
from pi_bench.unknown_name import similar_names

from .training.settings import PRECISIONS, TrainingSettings

Value = TypeVar("Value")

_ENTRY = "entry"


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of one setting.

    Attributes:
        default: its default.
        low: its least number. For a tuple, this is the least of each number in it.
        high: its largest number.
        allowed: its possible words. If there are none, it is a number.
        flag: its option on the command line; "" for none.
        help: the words of that option, without the default.

    >>> Entry(0.5, low=0, high=1).refusal(2), Entry(0.5, low=0, high=1).refusal(1)
    ('2, allowed: 0 to 1', '')
    """

    default: Any
    low: float = -math.inf
    high: float = math.inf
    allowed: tuple[str, ...] = ()
    flag: str = ""
    help: str = ""

    @property
    def key(self) -> str:
        """The name of the value among parsed arguments."""
        return self.flag.removeprefix("--").replace("-", "_")

    def refusal(self, value: Any) -> str:
        """Returns a value that the setting cannot have with those that it can; "" if it can have the
        value."""
        if self.allowed:
            if value in self.allowed:
                return ""
            near = f"; {question}" if (question := similar_names(value, self.allowed)) else ""
            return f"{value!r}, allowed: {', '.join(self.allowed)}{near}"
        for number in value if isinstance(value, tuple) else (value,):
            if not self.low <= number <= self.high:
                return f"{number}, allowed: {self.low:g} to {self.high:g}"
        return ""


def setting(
    default: Value,
    low: float = -math.inf,
    high: float = math.inf,
    flag: str = "",
    help: str = "",
    *,
    allowed: tuple[str, ...] = (),
) -> Value:
    """Returns a field of a dataclass that carries its `Entry`. The arguments are those of it.

    >>> @dataclass(frozen=True, slots=True, kw_only=True)
    ... class Descent(JobSettings):
    ...     job = "descent"
    ...     tries: int = setting(20, 1, 10_000, "--tries", "blocks that one step tries at most")
    >>> Descent(tries=3).tries, Descent.entries()["tries"].flag
    (3, '--tries')
    """
    entry = Entry(default, low, high, allowed, flag, help)
    return dataclasses.field(default=default, metadata={_ENTRY: entry})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """The settings of one job of a search. Each kind of job adds entries of its own.

    Attributes:
        job: the name of the job in refusals.
        precision: the precision of the forward pass, as for `TrainingSettings`.
        validation_fraction: the fraction of the training images that no job trains on.
        seed: decides all that is random.

    Raises:
        UsageError: A value is outside its range. The message names both.

    >>> JobSettings(seed=7).as_dict()["seed"]
    7
    """

    job: ClassVar[str] = "search"

    batch_size: int = setting(128, 1, 1 << 20)
    precision: str = setting("auto", allowed=PRECISIONS)
    validation_fraction: float = setting(0.1, 0, 0.9)
    seed: int = setting(1, 0, (1 << 63) - 1)

    def __post_init__(self) -> None:
        """Checks every value."""
        for name, entry in self.entries().items():
            if refusal := entry.refusal(getattr(self, name)):
                raise UsageError(f"{self.job}: {name} is {refusal}")

    @classmethod
    def entries(cls) -> dict[str, Entry]:
        """Returns the entry of each setting by its name."""
        return {field.name: field.metadata[_ENTRY] for field in dataclasses.fields(cls)}

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON values."""
        values = {name: getattr(self, name) for name in self.entries()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def advice_to_lower(self, name: str) -> str:
        """Returns the advice to lower a setting that has an option, in words.

        >>> from pi_bench.models.senet.settings import SelectionSettings
        >>> SelectionSettings().advice_to_lower("learning_rate")
        'use a lower --selection-learning-rate than 0.01'
        """
        return f"use a lower {self.entries()[name].flag} than {getattr(self, name):g}"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Returns the settings that `as_dict` returned.

        >>> JobSettings.from_dict(JobSettings(seed=7).as_dict()).seed
        7
        """
        kept: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedJobSettings(JobSettings):
    """The settings of a job that is a training, with distillation from the network with all its ReLUs.

    Attributes:
        optimizer: the optimizer, as for `TrainingSettings`.
        weight_decay: its weight decay.
        gradient_limit, range_penalty: the measures for polynomials, as for `TrainingSettings`.
        epoch_count: the largest number of epochs of the training.

    >>> settings = TrainedJobSettings(learning_rate=0.05).training
    >>> settings.learning_rate, settings.schedule, settings.epochs
    (0.05, 'constant', 1)
    """

    optimizer: ClassVar[str] = "sgd"
    weight_decay: ClassVar[float] = 5e-4
    gradient_limit: ClassVar[float] = 0.0
    range_penalty: ClassVar[float] = 0.0

    learning_rate: float = setting(1e-3, 1e-12, 1e6)
    temperature: float = setting(4.0, 1e-3, 1e3)

    @property
    def epoch_count(self) -> int:
        """The largest number of epochs of the training."""
        return 1

    @property
    def training(self) -> TrainingSettings:
        """The settings of the training."""
        return TrainingSettings(
            epochs=self.epoch_count,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="constant",
            temperature=self.temperature,
            hard_weight=1.0,
            soft_weight=1.0,
            precision=self.precision,
            validation_fraction=self.validation_fraction,
            seed=self.seed,
            gradient_limit=self.gradient_limit,
            range_penalty=self.range_penalty,
        )
