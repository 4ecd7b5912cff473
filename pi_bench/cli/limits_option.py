"""The option ``--no-limits``, and the limits of this machine for a measurement."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    from pi_bench.launch.placement import Placement
    from pi_bench.prediction.limits import Limits
    from pi_bench.progress import Progress
    from pi_bench.report.documents.comparison import Ratio

LIMITS_VARIABLE = "PI_BENCH_LIMITS"


def add_limits(parser: argparse._ActionsContainer) -> None:
    """Adds ``--no-limits``. `limits_of` reads it.

    >>> parser = argparse.ArgumentParser()
    >>> add_limits(parser)
    >>> parser.parse_args(["--no-limits"]).no_limits
    True
    """
    parser.add_argument(
        "--no-limits",
        action="store_true",
        help="do not measure the limits of this machine, which takes about two seconds every few minutes; "
        "the result has no floor then",
    )


def add_relative(parser: argparse._ActionsContainer) -> None:
    """Adds ``--relative-to-floor``.

    >>> parser = argparse.ArgumentParser()
    >>> add_relative(parser)
    >>> parser.parse_args(["--relative-to-floor"]).relative_to_floor
    True
    """
    parser.add_argument(
        "--relative-to-floor",
        action="store_true",
        help="compare times as multiples of the floors of their runs, so that a slower machine or hour "
        "counts less",
    )


def require_floor(parsed: argparse.Namespace) -> None:
    """Refuses flags that contradict each other, before anything starts.

    Raises:
        UsageError: both flags are given.

    >>> require_floor(argparse.Namespace(relative_to_floor=True, no_limits=True))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --relative-to-floor needs the limits of this machine; leave out --no-limits
    """
    if parsed.relative_to_floor and parsed.no_limits:
        raise UsageError("--relative-to-floor needs the limits of this machine; leave out --no-limits")


def lacking_floor(ratio: Ratio) -> str:
    """Says that a ratio relative to the floor does not exist because a side has no floor; "" otherwise.

    ```python
    def is_judged(ratio: "Ratio") -> bool:
        return not lacking_floor(ratio)
    ```
    """
    if ratio.relative_to_floor and ratio.ratio is None:
        return "one of them has no floor; measure it without --no-limits"
    return ""


def limits_of(parsed: argparse.Namespace, place: Placement, progress: Progress) -> Limits | None:
    """Finds the limits of this machine for parties that are placed like this; None with ``--no-limits``.

    The environment variable PI_BENCH_LIMITS names a file of limits to use instead. Limits that cannot be
    measured give a warning on standard error, and the measurement goes on without them.

    Raises:
        InputError: the file of the variable holds no limits.

    >>> from pi_bench.launch.placement import place
    >>> from pi_bench.progress import silent
    >>> limits_of(argparse.Namespace(no_limits=True), place(1), silent) is None
    True
    """
    from pi_bench.errors import EnvironmentUnsupportedError
    from pi_bench.launch.cached_limits import machine_limits
    from pi_bench.prediction.limits_file import read_limits

    if parsed.no_limits:
        return None
    if named := os.environ.get(LIMITS_VARIABLE):
        return read_limits(Path(named))
    try:
        return machine_limits(place, progress)
    except EnvironmentUnsupportedError as error:
        print(f"warning: {error}", file=sys.stderr)
        return None
