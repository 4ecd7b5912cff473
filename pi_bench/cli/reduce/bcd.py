"""`pi-bench reduce bcd`: removes single ReLUs of an SNL network in blocks, to one or more budgets."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.arguments import number, positive_int, whole_number
from pi_bench.cli.reduce import base_network, budget_options, latency_options, linearization_options
from pi_bench.cli.reduce.search import conduct

_DESCRIPTION = """\
Starts from an SNL network above the budget and removes random blocks of ReLUs (coordinate descent on binary
masks, after arXiv 2511.11781, with settings of its predecessor's code and changes that docs/reduction.md
names). Each step tries blocks until one costs little training accuracy, or else takes the
best, and trains one epoch. The budget is met exactly. Each network is finetuned with knowledge distillation
from the full network and measured with `pi-bench latency`. If the command is killed, run it again: it
continues. Smaller budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce bcd --budget 15000 --network resnet18 --data digits -o folder
  pi-bench reduce bcd --budget 15000 --start 30000 --network resnet18 --data cifar100 --download -o bcd
"""


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("bcd --budget 9 --start 30 --network resnet18 -o bcd".split()).start
    30
    """
    parser = subparsers.add_parser(
        "bcd",
        help="remove blocks of ReLUs of an SNL network by coordinate descent (after arXiv 2511.11781)",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    budget_options.add_options(parser, "one descent")
    group = parser.add_argument_group("descent")
    group.add_argument(
        "--start",
        type=positive_int,
        metavar="N",
        help="ReLUs of the SNL network from which the descent starts (default twice the largest budget)",
    )
    group.add_argument(
        "--block-fraction",
        type=number,
        metavar="X",
        help="fraction of the ReLUs left that one step removes (default 0.05)",
    )
    group.add_argument(
        "--tries", type=whole_number, metavar="N", help="blocks that one step tries at most (default 20)"
    )
    group.add_argument(
        "--tolerance",
        type=number,
        metavar="X",
        help="drop of training accuracy, in percentage points, up to which a block is taken at once "
        "(default 0.3)",
    )
    group.add_argument(
        "--judging-images",
        type=whole_number,
        metavar="N",
        help="training images on which a block is judged (default 1024)",
    )
    group.add_argument(
        "--step-epochs", type=whole_number, metavar="N", help="epochs after each step (default 1)"
    )
    linearization_options.add_options(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Runs the search, measures the networks that it finds, and prints their frontier. Returns the exit
    code.

    Raises:
        PiBenchError: an option or the data cannot be used, or a training or a measurement failed.

    ```python
    from pi_bench.cli import main

    def search(folder: str) -> int:
        return main(["reduce", "bcd", "--budget", "15000", "--network", "resnet18", "-o", folder])
    ```
    """
    model_options.require_torch("reduce")
    models = importlib.import_module("pi_bench.models")
    base = base_network.base_recipe(models, parsed, relus_at_paper_sites=True)
    latency_options.require(parsed)
    import torch

    search = importlib.import_module("pi_bench.models.reduction.bcd")
    settings = _settings(search, parsed, training_options.device_of(torch, parsed.device))
    return conduct(parsed, base, settings, search.bcd, "Coordinate descent on {}")


def _settings(search: Any, parsed: argparse.Namespace, device: str) -> Any:
    """Returns the settings of the search. Raises: UsageError: a value is out of range."""
    training = importlib.import_module("pi_bench.models.training")
    linearization = importlib.import_module("pi_bench.models.linearization.settings")
    descent = importlib.import_module("pi_bench.models.linearization.descent_settings")
    trained = training_options.settings_of(training, parsed)
    shared = budget_options.shared_settings(trained)
    finetuning = budget_options.finetuning_settings(
        parsed, linearization.default_finetuning(parsed.data), shared
    )
    given = {
        "block_fraction": parsed.block_fraction,
        "tries": parsed.tries,
        "tolerance_pct": parsed.tolerance,
        "image_count": parsed.judging_images,
        "step_epochs": parsed.step_epochs,
    }
    return search.BcdSettings(
        budgets=budget_options.budgets_of(parsed),
        training=trained,
        linearization=linearization_options.settings_of(parsed, trained),
        finetuning=finetuning,
        descent=descent.DescentSettings(
            **shared | {"learning_rate": finetuning.learning_rate} | budget_options.chosen(given)
        ),
        start=parsed.start,
        data_dir=parsed.data_dir,
        device=device,
        threads=parsed.threads or 1,
        linearization_threads=linearization_options.threads_of(parsed, device),
        teacher=parsed.teacher,
    )
