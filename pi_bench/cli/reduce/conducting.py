"""What all searches do once their settings are read: data, engine, search, measuring, frontier."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from pi_bench.cli import training_options
from pi_bench.cli.failures import Failures
from pi_bench.cli.reduce import engines, frontier, measuring


def conduct(
    parsed: argparse.Namespace, base: Any, settings: Any, search: Callable[..., list[Any]], title: str
) -> int:
    """Runs a search from the recipe `base`, measures what it found, and prints its frontier.

    title: of the figure, with ``{}`` for the network's name. search: as `searched` takes it.

    Raises: PiBenchError.
    """
    from pi_bench.cli.progress import Progress

    with Progress() as progress:
        candidates, fitted = searched(parsed, base, settings, search, progress)
        failures = Failures()
        candidates = measuring.measured(parsed, candidates, parsed.output, progress, failures)
    print(frontier.conclude(candidates, parsed.output, title.format(fitted.name), plot=parsed.plot))
    return failures.report()


def searched(
    parsed: argparse.Namespace, base: Any, settings: Any, search: Callable[..., list[Any]], progress: Any
) -> tuple[list[Any], Any]:
    """The candidates of a search, and `base` fitted to its data.

    search: of `pi_bench.models.reduction`: takes recipe, settings, folder and engine, and progress, announce
    and say by name.

    Raises: PiBenchError.
    """
    import torch

    data_sets = importlib.import_module("pi_bench.models.data")
    running = importlib.import_module("pi_bench.models.training.run")
    # Here, so that whatever is wrong with the data is found once and before anything starts.
    data, fitted = training_options.data_for(data_sets, running, parsed, base, progress)
    del data
    say = engines.OutcomePrinter(progress)
    with engines.engine_of(parsed, settings.device, torch) as engine:
        candidates = search(
            fitted, settings, parsed.output, engine, progress=progress, announce=say.outcome, say=say
        )
    return candidates, fitted
