"""Options that say how many runs a measurement has."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pi_bench import defaults
from pi_bench.cli.arguments import count, percentage, positive_int, positive_seconds
from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.launch.stopping import Stopping

DEFAULT_RUNS = 5
DEFAULT_MAX_TIME_S = defaults.MAX_TIME_S


def add_stopping(parser: argparse._ActionsContainer) -> None:
    """Adds the options. `stopping_of` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> add_stopping(parser)
    >>> parser.parse_args(["--precision", "5%"]).precision
    0.05
    """
    parser.add_argument(
        "--runs",
        type=positive_int,
        default=DEFAULT_RUNS,
        metavar="N",
        help=f"timed runs (default {DEFAULT_RUNS}); with --precision at least so many",
    )
    parser.add_argument(
        "--warmup",
        type=count,
        metavar="N",
        help="untimed runs before the timed ones (default: until the last two agree within a tenth, at "
        "most 5)",
    )
    parser.add_argument(
        "--precision",
        type=percentage,
        metavar="P%",
        help="repeat until the median is known within P%% of itself: half of its bootstrap interval "
        "(confidence 95 %%) is at most that; default: --runs alone decides",
    )
    parser.add_argument(
        "--max-time",
        type=positive_seconds,
        metavar="S",
        help=f"seconds after which --precision repeats no more (default {DEFAULT_MAX_TIME_S:g} s)",
    )


def stopping_of(parsed: argparse.Namespace) -> Stopping:
    """Returns how many runs the user asked for.

    Raises:
        UsageError: --max-time is given without --precision.

    >>> parser = argparse.ArgumentParser()
    >>> add_stopping(parser)
    >>> stopping_of(parser.parse_args(["--runs", "3"])).runs
    3
    """
    from pi_bench.launch.stopping import Stopping

    if parsed.max_time is not None and parsed.precision is None:
        raise UsageError("--max-time bounds --precision; give --precision too, or --runs alone")
    return Stopping(parsed.runs, parsed.warmup, parsed.precision, parsed.max_time or DEFAULT_MAX_TIME_S)
