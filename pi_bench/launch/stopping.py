"""Decides when a measurement has warmed up, and when it has enough runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pi_bench import defaults
from pi_bench.errors import UsageError
from pi_bench.metrics.statistics import relative_width

AGREEMENT = 0.1  # relative distance of the last two warm-up runs
MAX_WARM_UPS = 5
MAX_RUNS = 2000


@dataclass(frozen=True, slots=True)
class Stopping:
    """Tells how many runs to measure.

    Attributes:
        runs: the number of timed runs without `precision`, and the least number with it.
        warmup: the number of untimed runs; None runs until the last two agree within a tenth, at most five.
        precision: repeats until half the interval of the median is at most this fraction of the median; None
            measures `runs` runs.
        max_time_s: bounds the repeating of `precision`.

    Raises:
        UsageError: a number is impossible.

    >>> rule = Stopping(runs=5)
    >>> rule.warm([0.2]), rule.warm([0.2, 0.1]), rule.warm([0.2, 0.1, 0.1])
    (False, False, True)
    >>> rule.enough([0.1] * 5, elapsed_s=1.0)
    True
    """

    runs: int
    warmup: int | None = None
    precision: float | None = None
    max_time_s: float = defaults.MAX_TIME_S

    def __post_init__(self) -> None:
        if not isinstance(self.runs, int) or self.runs < 1:
            raise UsageError(f"runs {self.runs}: a whole number from 1 on is needed")
        if self.warmup is not None and (not isinstance(self.warmup, int) or self.warmup < 0):
            raise UsageError(f"warmup {self.warmup}: a whole number from 0 on, or None, is needed")
        if self.precision is not None and not 0 < self.precision <= 1:
            raise UsageError(f"precision {self.precision}: a fraction is needed, such as 0.05 for 5 %")
        if not self.max_time_s > 0:
            raise UsageError(f"max_time_s {self.max_time_s}: seconds above 0 are needed")

    def warm(self, latencies_s: Sequence[float]) -> bool:
        """Tells whether the untimed runs so far are enough."""
        if self.warmup is not None:
            return len(latencies_s) >= self.warmup
        if len(latencies_s) >= MAX_WARM_UPS:
            return True
        if len(latencies_s) < 2:
            return False
        before, last = latencies_s[-2:]
        return abs(last - before) <= AGREEMENT * min(last, before)

    def enough(self, latencies_s: Sequence[float], elapsed_s: float) -> bool:
        """Tells whether the timed runs so far are enough.

        Args:
            elapsed_s: seconds since the first one began.
        """
        count = len(latencies_s)
        if self.precision is None or count >= MAX_RUNS:
            return count >= self.runs
        if count < self.runs:
            return False
        if elapsed_s >= self.max_time_s:
            return True
        width = relative_width(latencies_s)
        return width is not None and width <= self.precision

    def wants_more(self, run_count: int) -> bool:
        """Tells whether an interruption after so many timed runs leaves runs out."""
        return self.precision is not None or run_count < self.runs

    @property
    def most(self) -> int:
        """The number of runs that progress counts to: all of them, or the least number."""
        return self.runs + (1 if self.warmup is None else self.warmup)


def stopwatch() -> Callable[[], float]:
    """Returns a function that tells the seconds since now.

    >>> stopwatch()() >= 0
    True
    """
    started = time.perf_counter()
    return lambda: time.perf_counter() - started
