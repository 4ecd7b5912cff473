"""`pi-bench reduce snl`: runs selective network linearization to one or more budgets of ReLUs."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.reduce import base_network, budget_options, latency_options, linearization_options
from pi_bench.cli.reduce.search import conduct

_DESCRIPTION = """\
Trains masks together with the weights until few enough ReLUs are left (SNL, Cho et al., ICML 2022,
Algorithm 1), keeps exactly as many as the budget allows, finetunes with knowledge distillation from the
full network, measures with `pi-bench latency`, and writes a folder: masks, recipes, trainings, pareto.csv
and pareto.svg.
If the command is killed, run it again: it continues. Smaller budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce snl --budget 15000 --network resnet18 --data digits -o folder
  pi-bench reduce snl --budget 60000 30000 15000 --network resnet18 --data cifar100 --download -o snl
  pi-bench reduce snl --budget 30000 --masks channel --network resnet18 --data cifar100 -o channels
"""


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("snl --budget 60000 30000 --network resnet18 -o snl".split()).budget
    [60000, 30000]
    """
    parser = subparsers.add_parser(
        "snl",
        help="remove single ReLUs by selective network linearization (Cho et al., ICML 2022)",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    budget_options.add_options(parser, "one linearization")
    group = linearization_options.add_options(parser)
    group.add_argument(
        "--masks", metavar="NAME", help="unit that keeps or loses its ReLUs: pixel (default) or channel"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Runs the search, measures the networks that it finds, and prints their frontier. Returns the exit
    code.

    Raises:
        PiBenchError: an option or the data cannot be used, or a training or a measurement failed.

    ```python
    from pi_bench.cli import main

    def search(folder: str) -> int:
        return main(["reduce", "snl", "--budget", "15000", "--network", "resnet18", "-o", folder])
    ```
    """
    model_options.require_torch("reduce")
    models = importlib.import_module("pi_bench.models")
    base = base_network.base_recipe(models, parsed, relus_at_paper_sites=True)
    latency_options.require(parsed)
    import torch

    search = importlib.import_module("pi_bench.models.reduction.snl")
    settings = _settings(search, parsed, training_options.device_of(torch, parsed.device))
    return conduct(parsed, base, settings, search.snl, "SNL on {}")


def _settings(search: Any, parsed: argparse.Namespace, device: str) -> Any:
    """Returns the settings of the search. Raises: UsageError: a value is out of range."""
    training = importlib.import_module("pi_bench.models.training")
    linearization = importlib.import_module("pi_bench.models.linearization.settings")
    trained = training_options.settings_of(training, parsed)
    return search.SnlSettings(
        budgets=budget_options.budgets_of(parsed),
        training=trained,
        linearization=linearization_options.settings_of(parsed, trained, masks=parsed.masks),
        finetuning=budget_options.finetuning_settings(
            parsed, linearization.default_finetuning(parsed.data), budget_options.shared_settings(trained)
        ),
        data_dir=parsed.data_dir,
        device=device,
        threads=parsed.threads or 1,
        linearization_threads=linearization_options.threads_of(parsed, device),
        teacher=parsed.teacher,
    )
