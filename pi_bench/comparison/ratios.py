"""The ratio of two sides' times, its interval, and the verdict in words.

Sessions of two processes differ: in where their memory lies, in how their threads are placed. Runs within one
session share this, so many runs of one session do not show how far another session would be off. Sides that
were measured in several rounds, with new processes in each, are therefore compared by round: the logarithms
of the rounds' ratios are taken as independent, and Student's t gives the interval of their mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal

import numpy as np

from pi_bench.metrics.statistics import bootstrap_interval
from pi_bench.report.documents.comparison import CONFIDENCE, Ratio, Side, Verdict

MIN_ROUNDS = 4
"""Rounds without which a comparison has no interval."""

NARROW = 0.1
"""Width of an interval, as a part of the ratio, at which more rounds are not worth their time."""

_MIN_SAMPLES = 6
_BY_ROUND = "Student's t over the rounds' log ratios of medians, confidence 99 %"
_BY_RUN = "bootstrap over the runs of one session per side, confidence 99 %"


def ratio_of(
    side: Side, base: Side, phase: Literal["online", "offline"], *, relative_to_floor: bool = False
) -> Ratio:
    """Returns the ratio of the times of a side to those of the base. Above 1 the side is slower.

    Args:
        relative_to_floor: whether the times of each side are divided by its floor first. Then there is no
            ratio if a side has no floor.

    ```python
    def slower(side: Side, base: Side) -> bool:
        return ratio_of(side, base, "online").verdict == "slower"
    ```
    """
    times, base_times = (_sessions(each, phase, relative_to_floor) for each in (side, base))
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    method = _BY_RUN
    paired = side.source == base.source == "measured"
    if paired and min(len(times), len(base_times)) >= 2:
        method = _BY_ROUND
        logs = _logs(times, base_times)
        ratio = float(np.exp(logs.mean()))
        if len(logs) >= MIN_ROUNDS:
            interval = _of_rounds(logs)
    elif times and base_times:
        mine, other = np.concatenate(times), np.concatenate(base_times)
        ratio = float(np.median(mine) / np.median(other))
        if min(len(mine), len(other)) >= _MIN_SAMPLES:
            interval = _of_runs(mine, other)
    return Ratio(
        side=side.name,
        base=base.name,
        phase=phase,
        ratio=ratio,
        interval=interval,
        verdict=verdict_of(interval),
        method=method,
        relative_to_floor=relative_to_floor,
    )


def narrow(times: Sequence[np.ndarray], base_times: Sequence[np.ndarray]) -> bool:
    """Tells whether the rounds of two sides give an interval that is narrow enough for a verdict.

    A comparison that adds rounds until this holds looks at the width of the interval alone, never at the
    verdict. So the interval keeps nearly the confidence that it states.

    >>> narrow([np.array([1.0])] * 4, [np.array([1.02]), np.array([1.03])] * 2)
    True
    >>> narrow([np.array([1.0])] * 4, [np.array([0.8]), np.array([1.3])] * 2)
    False
    """
    logs = _logs(times, base_times)
    if len(logs) < MIN_ROUNDS:
        return False
    low, high = _of_rounds(logs)
    return high - low <= NARROW * float(np.exp(logs.mean()))


def _logs(times: Sequence[np.ndarray], base_times: Sequence[np.ndarray]) -> np.ndarray:
    pairs = zip(times, base_times, strict=False)
    return np.log([median(mine.tolist()) / median(other.tolist()) for mine, other in pairs])


def verdict_of(interval: tuple[float, float] | None) -> Verdict:
    """Returns the verdict of the interval of a ratio.

    >>> verdict_of((1.02, 1.1)), verdict_of((0.98, 1.1)), verdict_of(None)
    ('slower', 'no difference shown', 'no verdict')
    """
    if interval is None:
        return "no verdict"
    if interval[0] > 1:
        return "slower"
    if interval[1] < 1:
        return "faster"
    return "no difference shown"


def _sessions(side: Side, phase: Literal["online", "offline"], relative: bool) -> list[np.ndarray]:
    """Returns the times of each session with timed runs, all above 0.

    Args:
        relative: whether they are in units of the floor.
    """
    unit_s: float | None = 1.0
    if relative:
        unit_s = side.online_floor_s if phase == "online" else side.offline_floor_s
    if unit_s is None:
        return []
    found = [
        np.array(session.online_s if phase == "online" else session.offline_s) / unit_s
        for session in side.sessions
    ]
    return [times for times in found if len(times) and times.min() > 0]


def _of_rounds(logs: np.ndarray) -> tuple[float, float]:
    """Returns the interval of Student's t. The quantile alone is scipy's: its test takes 30 times as long."""
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(logs) - 1, (1 + CONFIDENCE) / 2))
    mean, reach = float(logs.mean()), quantile * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return math.exp(mean - reach), math.exp(mean + reach)


def _of_runs(mine: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    def ratio(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray(np.median(left, axis=-1) / np.median(right, axis=-1))

    return bootstrap_interval([mine, other], ratio, CONFIDENCE)
