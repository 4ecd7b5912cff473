"""The options that say how many runs a measurement has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pi_bench import defaults
from pi_bench.measurement_options import values
from pi_bench.measurement_options.option import option

if TYPE_CHECKING:
    from pi_bench.launch.stopping import Stopping

_LATENCY = {"latency": ""}


@dataclass(frozen=True, kw_only=True)
class StoppingOptions:
    """The second part of `MeasurementOptions`.

    >>> StoppingOptions(precision=0.05).stopping.max_time_s
    120.0
    """

    runs: int = option(
        defaults.RUNS,
        "--runs",
        group="measuring",
        commands=_LATENCY,
        in_python=True,
        type=values.positive_int,
        metavar="N",
        help=f"timed runs (default {defaults.RUNS}); with --precision at least so many",
    )
    warmup: int | None = option(
        None,
        "--warmup",
        group="measuring",
        commands=_LATENCY,
        in_python=True,
        type=values.count,
        metavar="N",
        help="untimed runs before the timed ones (default: until the last two agree within a tenth, at "
        "most 5)",
    )
    precision: float | None = option(
        None,
        "--precision",
        group="measuring",
        commands=_LATENCY,
        in_python=True,
        type=values.percentage,
        metavar="P%",
        help="repeat until the median is known within P%% of itself: half of its bootstrap interval "
        "(confidence 95 %%) is at most that; default: --runs alone decides",
    )
    max_time_s: float | None = option(
        None,
        "--max-time",
        group="measuring",
        commands=_LATENCY,
        in_python=True,
        type=values.positive_seconds,
        metavar="S",
        help=f"seconds after which --precision repeats no more (default {defaults.MAX_TIME_S:g} s)",
    )

    @property
    def stopping(self) -> Stopping:
        """The rule for the number of runs. Impossible numbers raise a `UsageError`."""
        from pi_bench.launch.stopping import Stopping

        most_s = defaults.MAX_TIME_S if self.max_time_s is None else self.max_time_s
        return Stopping(self.runs, self.warmup, self.precision, most_s)
