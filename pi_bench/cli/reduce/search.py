"""Conducts a search once its settings are known: data, engine, search, measuring, frontier."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from pi_bench.cli import training_options
from pi_bench.cli.failures import Failures
from pi_bench.cli.interruption import continuing
from pi_bench.cli.output import print_text
from pi_bench.cli.reduce import engine_options, frontier, latency_options, objective_options


def conduct(
    parsed: argparse.Namespace, base: Any, settings: Any, search: Callable[..., list[Any]], title: str
) -> int:
    """Runs a search from the recipe `base`, measures the networks that it found, and prints their frontier.

    Returns the exit code.

    Args:
        search: as `searched` takes it.
        title: title of the figure, with ``{}`` for the network's name.

    Raises:
        PiBenchError: the data, a training or a measurement failed.

    ```python
    def prune(parsed: argparse.Namespace, recipe: object, settings: object) -> int:
        search = importlib.import_module("pi_bench.models.reduction.prune").prune
        return conduct(parsed, recipe, settings, search, "Filter pruning of {}")
    ```
    """
    from pi_bench.cli.progress import Progress

    with Progress(lines=True) as progress:
        settings = objective_options.with_objective(parsed, settings, progress)
        candidates, fitted = searched(parsed, base, settings, search, progress)
        candidates = frontier.predicted(candidates, parsed.output, settings.objective)
        failures = Failures()
        candidates = latency_options.measured(
            parsed, candidates, parsed.output, progress, failures, fuse=parsed.fuse
        )
    said = frontier.conclude(
        candidates,
        parsed.output,
        title.format(fitted.name),
        plot=parsed.plot,
        objective=parsed.objective,
    )
    frontier.add_untrained(candidates, failures)
    print_text(said)
    print_text(
        str(importlib.import_module("pi_bench.models.reduction.search_time").search_time(parsed.output))
    )
    return failures.report()


def searched(
    parsed: argparse.Namespace, base: Any, settings: Any, search: Callable[..., list[Any]], progress: Any
) -> tuple[list[Any], Any]:
    """Returns the candidates of a search, and `base` fitted to its data.

    Args:
        search: function of `pi_bench.models.reduction`. It takes recipe, settings, folder and engine, and, by
            name, progress, announce and say.

    Raises:
        PiBenchError: the data or a training failed.

    ```python
    from pi_bench.progress import silent

    def pruned(parsed: argparse.Namespace, recipe: object, settings: object) -> list[object]:
        search = importlib.import_module("pi_bench.models.reduction.prune").prune
        return searched(parsed, recipe, settings, search, silent)[0]
    ```
    """
    import torch

    data_sets = importlib.import_module("pi_bench.models.data")
    running = importlib.import_module("pi_bench.models.training.train_recipe")
    # Here, so that whatever is wrong with the data is found once and before anything starts.
    data, fitted = training_options.data_for(data_sets, running, parsed, base, progress)
    del data
    say = engine_options.OutcomePrinter(progress)
    with continuing(parsed.output), engine_options.engine_of(parsed, settings.device, torch) as engine:
        candidates = search(
            fitted, settings, parsed.output, engine, progress=progress, announce=say.outcome, say=say
        )
    return candidates, fitted
