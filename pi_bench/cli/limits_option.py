"""The option ``--no-limits``, and the limits of this machine for a measurement."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pi_bench.launch.placement import Placement
    from pi_bench.prediction.limits import Limits
    from pi_bench.progress import Progress

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
    from pi_bench.launch.limits import machine_limits
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
