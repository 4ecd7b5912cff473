"""Options of the searches: the objective, which is ReLUs or predicted time, and link and costs."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pi_bench.cli import prediction, protocol_options
from pi_bench.cli.arguments import positive_int
from pi_bench.errors import UsageError
from pi_bench.measurement_options.fusion_objective import costs_of_objective
from pi_bench.measurement_options.option import declarations
from pi_bench.measurement_options.table import MeasurementOptions


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the objective. `objective_of` reads them, and those of the protocol.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> parser.parse_args(["--objective", "online", "--link", "wan"]).objective
    'online'
    """
    group = parser.add_argument_group("objective")
    group.add_argument(
        "--objective",
        choices=("relus", "online", "total"),
        default="relus",
        help="minimize ReLUs (default), the predicted online time, or the sum of the predicted offline and "
        "online times, with --link and --protocol",
    )
    for key in ("link", "fuse"):
        declarations(MeasurementOptions)[key].add_to(group, "latency")
    prediction.add_costs(parser)


def budget(text: str) -> Any:
    """Parses a budget: a number of ReLUs, or a time with its unit. Imports torch for a time.

    Raises:
        argparse.ArgumentTypeError: the text is neither.

    >>> budget("5000"), str(budget("15ms"))
    (5000, '15ms')
    """
    if not text.endswith("s"):
        return positive_int(text)
    return time_budget(text)


def time_budget(text: str) -> Any:
    """Parses a budget of time, such as ``15ms``.

    Raises:
        argparse.ArgumentTypeError: the text is no time above 0.

    >>> time_budget("15ms").seconds
    0.015
    """
    from pi_bench.cli.model_options import require_torch

    require_torch("reduce")
    found = importlib.import_module("pi_bench.models.reduction.time_budgets").TimeBudget.parse(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0: write 15ms, 900us or 1.5s")
    return found


def objective_of(parsed: argparse.Namespace, root: Path, progress: Any) -> Any:
    """Returns the `TimeObjective` that the user asked for, or None for ReLUs.

    The costs are those that an earlier command has kept in the output folder `root`, unless the user names
    others. The same command so predicts the same times again, whatever the machine does.

    Raises:
        UsageError: no times can be predicted for the protocol, or options do not go together.
        PiBenchError: the costs cannot be read or measured, or lack a unit that the protocol needs.

    >>> from pi_bench.progress import silent
    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> objective_of(parser.parse_args([]), Path("folder"), silent) is None
    True
    """
    require(parsed)
    if parsed.objective == "relus":
        return None
    from pi_bench.launch import placement
    from pi_bench.launch.cached_costs import needed_units
    from pi_bench.prediction.simulated_run import Setting

    objectives = importlib.import_module("pi_bench.models.reduction.objective")
    folders = importlib.import_module("pi_bench.models.reduction.search_folder")
    place = placement.place(None)
    info, options = protocol_options.protocol_of(parsed, place.threads)
    objectives.require_script(info)
    costs = None if parsed.costs or parsed.measure_costs else folders.kept_costs(root)
    if costs is None:
        costs = prediction.costs_of(parsed, info, place.threads, progress)
    assert costs is not None  # the protocol has a script
    costs.require(needed_units(info, place.threads))
    return objectives.TimeObjective(
        parsed.objective,
        info,
        options,
        Setting(costs, parsed.link, polls=place.pinned),
        None if parsed.fuse is None else costs_of_objective(parsed.fuse),
        parsed.fuse,
    )


def require(parsed: argparse.Namespace) -> None:
    """Checks the options of the objective, before a long search rather than within it.

    Raises:
        UsageError: no times can be predicted for the protocol, or options do not go together.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> require(parser.parse_args(["--measure-costs"]))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --measure-costs goes with --objective online or --objective total
    """
    if parsed.objective != "relus":
        info, _ = protocol_options.protocol_of(parsed)
        importlib.import_module("pi_bench.models.reduction.objective").require_script(info)
        return
    for name in ("costs", "measure_costs"):
        if getattr(parsed, name):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} goes with --objective online or --objective total")


def with_objective(parsed: argparse.Namespace, settings: Any, progress: Any) -> Any:
    """Returns the settings of a search with the objective that the user asked for.

    Raises:
        PiBenchError: `objective_of` fails.

    ```python
    from pi_bench.progress import silent

    def chosen(parsed: argparse.Namespace, settings: object) -> object:
        return with_objective(parsed, settings, silent)
    ```
    """
    return replace(settings, objective=objective_of(parsed, parsed.output, progress))
