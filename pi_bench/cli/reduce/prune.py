"""`pi-bench reduce prune`: prunes filters by a criterion to one or more budgets of ReLUs."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.arguments import number, whole_number
from pi_bench.cli.reduce import base_network, budget_options, latency_options
from pi_bench.cli.reduce.search import conduct
from pi_bench.errors import UsageError

_CRITERIA = ("l1", "l2", "geometric-median", "lfpc")
_DESCRIPTION = """\
Prunes filters, the structured baseline that SNL is compared with (Li et al., ICLR 2017). Removes the filters
that rank lowest by a criterion, as few as the budget of ReLUs asks for, and finetunes with knowledge
distillation from the full network. Whole filters are removed, so a network ends at its budget or below. The
network must be a residual network of basic blocks. With --criterion lfpc, each layer gets the criterion whose
pruned network has the smallest loss on validation images (He et al., CVPR 2020).
"""
_EPILOG = """\
examples:
  pi-bench reduce prune --budget 30000 --network resnet18 --data digits -o l1
  pi-bench reduce prune --budget 30000 --criterion lfpc --network resnet18 --data digits -o lfpc
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
        help="prune filters by a criterion, the structured baseline (Li et al., ICLR 2017)",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    budget_options.add_options(parser, "the full network")
    parser.add_argument(
        "--criterion",
        choices=_CRITERIA,
        default="l1",
        help="order of the filters: l1 or l2 norm, the distance from the layer's geometric median, or lfpc "
        "for one of these per layer (default l1)",
    )
    group = parser.add_argument_group("choice of a criterion per layer, with --criterion lfpc")
    group.add_argument(
        "--sampling-steps",
        type=whole_number,
        metavar="N",
        help="batches on which criteria are sampled (default 200)",
    )
    group.add_argument(
        "--sampling-learning-rate",
        type=number,
        metavar="X",
        help="learning rate of the criteria's probabilities (default 0.05)",
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
    shared = budget_options.shared_settings(trained)
    settings = search.PruningSettings(
        budgets=budget_options.budgets_of(parsed),
        training=trained,
        finetuning=budget_options.finetuning_settings(
            parsed, linearization.default_finetuning(parsed.data), shared
        ),
        criterion=parsed.criterion,
        sampling=_sampling(parsed, shared),
        data_dir=parsed.data_dir,
        device=training_options.device_of(torch, parsed.device),
        threads=parsed.threads or 1,
        teacher=parsed.teacher,
    )
    return conduct(parsed, base, settings, search.prune, "Filter pruning of {}")


def _sampling(parsed: argparse.Namespace, shared: dict[str, Any]) -> Any:
    """Returns the settings of the choice. Raises: UsageError: an option is out of place or range."""
    given = budget_options.chosen(
        {"step_count": parsed.sampling_steps, "learning_rate": parsed.sampling_learning_rate}
    )
    if given and parsed.criterion != "lfpc":
        raise UsageError(
            "--sampling-steps and --sampling-learning-rate are options of --criterion lfpc: add it, or leave "
            "them out"
        )
    lfpc = importlib.import_module("pi_bench.models.lfpc.settings")
    return lfpc.CriteriaSettings(**shared | given)
