"""`pi-bench reduce prune`: prunes filters by their l1 norms to one or more budgets of ReLUs."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.reduce import base_network, budget_options, latency_options
from pi_bench.cli.reduce.search import conduct

_DESCRIPTION = """\
Prunes filters, the structured baseline that SNL is compared with (Li et al., ICLR 2017). Removes the filters
with the smallest l1 norms, as few as the budget of ReLUs asks for, and finetunes with knowledge distillation
from the full network. Whole filters are removed, so a network ends at its budget or below. The network must
be a residual network of basic blocks.
"""


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("prune --budget 30000 --network resnet18 -o l1".split()).budget
    [30000]
    """
    parser = subparsers.add_parser(
        "prune",
        help="prune filters by their l1 norms, the structured baseline (Li et al., ICLR 2017)",
        description=_DESCRIPTION,
        epilog="example:\n  pi-bench reduce prune --budget 30000 --network resnet18 --data digits -o l1\n",
    )
    budget_options.add_options(parser, "the full network")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Runs the search, measures the networks that it finds, and prints their frontier. Returns the exit
    code.

    Raises:
        PiBenchError: an option or the data cannot be used, or a training or a measurement failed.

    ```python
    from pi_bench.cli import main

    def search(folder: str) -> int:
        return main(["reduce", "prune", "--budget", "30000", "--network", "resnet18", "-o", folder])
    ```
    """
    model_options.require_torch("reduce")
    models = importlib.import_module("pi_bench.models")
    base = base_network.base_recipe(models, parsed, relus_at_paper_sites=True)
    latency_options.require(parsed)
    import torch

    training = importlib.import_module("pi_bench.models.training")
    linearization = importlib.import_module("pi_bench.models.linearization.settings")
    search = importlib.import_module("pi_bench.models.reduction.prune")
    trained = training_options.settings_of(training, parsed)
    settings = search.PruningSettings(
        budgets=budget_options.budgets_of(parsed),
        training=trained,
        finetuning=budget_options.finetuning_settings(
            parsed, linearization.default_finetuning(parsed.data), budget_options.shared_settings(trained)
        ),
        data_dir=parsed.data_dir,
        device=training_options.device_of(torch, parsed.device),
        threads=parsed.threads or 1,
        teacher=parsed.teacher,
    )
    return conduct(parsed, base, settings, search.prune, "Filter pruning of {}")
