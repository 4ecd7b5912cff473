"""`pi-bench reduce deepreduce`: runs DeepReDuce, from a full network to a frontier of measured networks."""

from __future__ import annotations

import argparse
import importlib
import re
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.reduce import base_network, engine_options, latency_options, objective_options
from pi_bench.cli.reduce.search import conduct

_DESCRIPTION = """\
Finds out which stages' ReLUs matter (criticality), removes the others (culling, thinning, reshaping: five
networks per iteration), trains each with knowledge distillation from the full network, measures each with
`pi-bench latency`, and writes a folder: recipes, one training per network, pareto.csv and pareto.svg.
If the command is killed, run it again: it continues. Finished trainings and measurements are not repeated.
"""
_EPILOG = """\
examples:
  pi-bench reduce deepreduce --network resnet18 --alpha 0.125 --data digits --epochs 10 -o digits
  pi-bench reduce deepreduce --network resnet18 --data cifar100 --download --device cuda -o cifar100
  pi-bench reduce deepreduce --network resnet18 --data cifar100 --order 1,4,2,3 --teacher teacher -o known
"""


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("deepreduce --network resnet18 --order 1,4,2,3 -o folder".split()).order
    (1, 4, 2, 3)
    """
    parser = subparsers.add_parser(
        "deepreduce",
        help="reduce by criticality: culling, thinning, reshaping, distillation (Jha et al., ICML 2021)",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    base_network.add_options(parser)
    parser.add_argument(
        "--order",
        type=_order,
        metavar="K,K,…",
        help="stages from least to most critical, such as 1,4,2,3 (default: found by training)",
    )
    parser.add_argument(
        "--budget",
        type=objective_options.time_budget,
        metavar="TIME",
        help="train only the networks that are predicted to take at most this time, such as 15ms, with an "
        "--objective of time (default: all)",
    )
    training_options.add_data(parser)
    training_options.add_training(parser)
    engine_options.add_options(parser)
    latency_options.add_options(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Runs the search, measures the networks that it finds, and prints their frontier. Returns the exit
    code.

    Raises:
        PiBenchError: an option or the data cannot be used, or a training or a measurement failed.

    ```python
    from pi_bench.cli import main

    def search(folder: str) -> int:
        return main(["reduce", "deepreduce", "--network", "resnet18", "-o", folder])
    ```
    """
    model_options.require_torch("reduce")
    models = importlib.import_module("pi_bench.models")
    base = base_network.base_recipe(models, parsed)
    latency_options.require(parsed)
    import torch

    training = importlib.import_module("pi_bench.models.training")
    search = importlib.import_module("pi_bench.models.reduction.deepreduce")
    settings = search.DeepReduceSettings(
        training=training_options.settings_of(training, parsed),
        data_dir=training_options.data_dir_of(parsed),
        device=training_options.device_of(torch, parsed.device),
        threads=parsed.threads or 1,
        order=parsed.order,
        budget=parsed.budget,
        teacher=parsed.teacher,
    )
    return conduct(parsed, base, settings, search.deepreduce, "DeepReDuce on {}")


def _order(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"S?\d+(,S?\d+)*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of stages as 1,4,2,3")
    return tuple(int(word.removeprefix("S")) for word in text.split(","))
