"""Predictions for `inspect` and `latency`: their options, and the costs that they need."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pi_bench.costs import Costs
    from pi_bench.progress import Progress
    from pi_bench.protocol import ProtocolInfo

COSTS_VARIABLE = "PI_BENCH_COSTS"


def add_costs(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the options of the costs to predict with, and returns their group. `costs_of` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> group = add_costs(parser)
    >>> parser.parse_args(["--measure-costs"]).measure_costs
    True
    """
    group = parser.add_argument_group("prediction")
    given = group.add_mutually_exclusive_group()
    given.add_argument(
        "--costs",
        metavar="FILE",
        help=f"file of costs to predict with, from an earlier measurement (default: ${COSTS_VARIABLE}, or "
        "the costs of this machine, which are measured in about half a minute when they are first needed and "
        "kept in the user's cache)",
    )
    given.add_argument(
        "--measure-costs",
        action="store_true",
        help="measure the costs of this machine again, for instance after its hardware or load changed",
    )
    return group


def costs_of(
    parsed: argparse.Namespace, info: ProtocolInfo, threads: int, progress: Progress
) -> Costs | None:
    """Finds the costs to predict with: from a file, from the cache of the user, or by measuring this
    machine.

    Returns None if the protocol has no script to predict from.

    Raises:
        InputError: the file holds no costs, or lacks a cost that the protocol needs.
        PiBenchError: the two parties cannot run on this machine.

    >>> from pi_bench.progress import silent
    >>> from pi_bench.registry import loadable_protocols
    >>> parser = argparse.ArgumentParser()
    >>> _ = add_costs(parser)
    >>> without_script = next(info for info in loadable_protocols() if info.script is None)
    >>> costs_of(parser.parse_args([]), without_script, 1, silent) is None
    True
    """
    from pi_bench.errors import InputError
    from pi_bench.launch.cached_costs import machine_costs, needed_units
    from pi_bench.prediction.costs_file import read_costs

    if info.script is None:
        return None
    name = parsed.costs or (None if parsed.measure_costs else os.environ.get(COSTS_VARIABLE))
    if name:
        costs = read_costs(Path(name))
        try:  # now, and not after an hour of runs
            costs.require(needed_units(info, threads))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        return costs
    return machine_costs(info, threads, progress, again=parsed.measure_costs)


def remeasuring(
    parsed: argparse.Namespace, info: ProtocolInfo, threads: int
) -> Callable[[Progress], Costs | None] | None:
    """Returns the function that measures the costs of this machine again, for costs from the user's cache.

    Returns None if the costs come from a file, or if the command measures them in any case.

    >>> from pi_bench.registry import default_protocol
    >>> parser = argparse.ArgumentParser()
    >>> _ = add_costs(parser)
    >>> remeasuring(parser.parse_args(["--measure-costs"]), default_protocol(), 1) is None
    True
    """
    from pi_bench.launch.cached_costs import machine_costs

    if info.script is None or parsed.costs or parsed.measure_costs or os.environ.get(COSTS_VARIABLE):
        return None
    return partial(machine_costs, info, threads, again=True)
