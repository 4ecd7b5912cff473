"""The fidelity of an integer network, and the goal that a user sets for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pi_bench.errors import ModelError, UsageError
from pi_bench.fidelity.interval import wilson_interval_pct

HELD_OUT = "held-out calibration inputs"
CALIBRATION = "calibration inputs"
NOISE = "noise"
EXAMPLE = "example input"
SOURCES = (HELD_OUT, CALIBRATION, NOISE, EXAMPLE)
"""The inputs on which fidelity can be measured, from the most to the least convincing ones."""

MIN_SAMPLES = 16
"""Fewer inputs say little about a fraction of classes."""
_ERROR_PER_MISS = 2.0
_MIN_PCT, _MAX_PCT = 90.0, 99.99


@dataclass(frozen=True, slots=True)
class FidelityGoal:
    """Asks for at least `same_class_pct` of the inputs with the float network's class, in percent.

    The typical logit error may be twice the rest, in percent of the logits' range: 2 % for the goal of 99 %.

    Raises:
        UsageError: the goal is not between 90 and 99.99 %.

    >>> FidelityGoal(99.0).logit_error_pct
    2.0
    """

    same_class_pct: float = 99.0

    def __post_init__(self) -> None:
        if not _MIN_PCT <= self.same_class_pct <= _MAX_PCT:
            raise UsageError(
                f"a fidelity of {self.same_class_pct:g} %: {_MIN_PCT:g} to {_MAX_PCT:g} % are possible"
            )

    @property
    def logit_error_pct(self) -> float:
        """The largest typical logit error that meets the goal, in percent of the logits' range."""
        return round(_ERROR_PER_MISS * (100 - self.same_class_pct), 9)

    def allowed_misses(self, sample_count: int) -> int:
        """Returns how many of the inputs may have another class; a part of an input counts as one.

        Among a handful of inputs none may.

        >>> [FidelityGoal(99.0).allowed_misses(count) for count in (8, 64, 256)]
        [0, 1, 3]
        """
        if sample_count < MIN_SAMPLES:
            return 0
        return math.ceil(round(sample_count * (100 - self.same_class_pct) / 100, 6))


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Compares the answers of an integer network with those of its float network on some inputs.

    sample_count: number of the inputs.
    same_class_count: number of the inputs on which both networks have the same largest logit.
    logit_error: the typical logit error. Each input has a largest |error| over its logits; this is the
        median of those over the inputs.
    logit_range: each input has a distance from its smallest to its largest float logit; this is the median
        of those over the inputs. For a network with one output it is the distance from the smallest to the
        largest output over all inputs.
    source: one of `SOURCES`.
    goal: the goal that was asked for; None if bits were chosen by hand.

    >>> fidelity = Fidelity(256, 255, 0.05, 10.0, "calibration inputs", FidelityGoal(99.0))
    >>> fidelity.met, round(fidelity.same_class_pct, 1), round(fidelity.logit_error_pct, 1)
    (True, 99.6, 0.5)
    """

    sample_count: int
    same_class_count: int
    logit_error: float
    logit_range: float
    source: str
    goal: FidelityGoal | None = None

    @property
    def same_class_pct(self) -> float:
        """The fraction of the inputs with the same class, in percent."""
        return 100 * self.same_class_count / self.sample_count

    @property
    def same_class_interval_pct(self) -> tuple[float, float]:
        """Wilson's interval of 95 % for `same_class_pct`."""
        return wilson_interval_pct(self.same_class_count, self.sample_count)

    @property
    def logit_error_pct(self) -> float:
        """The typical logit error in percent of the logits' range; infinite if the range alone is 0."""
        if self.logit_range == 0:
            return 0.0 if self.logit_error == 0 else math.inf
        return 100 * self.logit_error / self.logit_range

    @property
    def met(self) -> bool:
        """True if the goal is met; without a goal, if the default goal is.

        Noise belongs to no class, so that the logit error alone counts there.
        """
        goal = self.goal or FidelityGoal()
        misses = self.sample_count - self.same_class_count
        few = self.source == NOISE or misses <= goal.allowed_misses(self.sample_count)
        return few and self.logit_error_pct <= goal.logit_error_pct

    def to_fields(self) -> dict[str, Any]:
        """Returns JSON values, for ``meta["fidelity"]`` of a model file; `from_fields` reads them.

        >>> Fidelity(4, 4, 0.5, 8.0, "noise").to_fields()["goal_pct"] is None
        True
        """
        return {
            "sample_count": self.sample_count,
            "same_class_count": self.same_class_count,
            "logit_error": self.logit_error,
            "logit_range": self.logit_range,
            "source": self.source,
            "goal_pct": None if self.goal is None else self.goal.same_class_pct,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Fidelity:
        """Reads the values of `to_fields` from a file that nobody vouches for.

        Raises:
            ModelError: a value is missing or makes no sense.

        >>> fidelity = Fidelity(4, 4, 0.5, 8.0, "noise", FidelityGoal(99.0))
        >>> Fidelity.from_fields(fidelity.to_fields()) == fidelity
        True
        """
        damaged = ModelError("the model file's note on its fidelity is damaged: export the network again")
        if not isinstance(fields, Mapping) or set(fields) != _FIELDS:
            raise damaged
        count, same = fields["sample_count"], fields["same_class_count"]
        error, extent, goal_pct = fields["logit_error"], fields["logit_range"], fields["goal_pct"]
        if type(count) is not int or type(same) is not int or not 0 <= same <= count != 0:
            raise damaged
        if not all(_is_number(size) and size >= 0 for size in (error, extent)):
            raise damaged
        if fields["source"] not in SOURCES:
            raise damaged
        if goal_pct is not None and not (_is_number(goal_pct) and _MIN_PCT <= goal_pct <= _MAX_PCT):
            raise damaged
        goal = None if goal_pct is None else FidelityGoal(float(goal_pct))
        return cls(count, same, float(error), float(extent), fields["source"], goal)


_FIELDS = {"sample_count", "same_class_count", "logit_error", "logit_range", "source", "goal_pct"}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
