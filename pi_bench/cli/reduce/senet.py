"""`pi-bench reduce senet`: keeps single ReLUs by ReLU sensitivities of layers, to one or more budgets."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import replace
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.arguments import number, whole_number
from pi_bench.cli.reduce import base_network, budget_options, latency_options
from pi_bench.cli.reduce.search import conduct

_DESCRIPTION = """\
Divides each budget among the layers by their ReLU sensitivity, which follows from pruning. Keeps in each
layer the ReLUs at which the maps of the full network and of the reduced one differ most, until these masks
settle. Finetunes with knowledge distillation and with matching of the maps, and measures with
`pi-bench latency`. The method is after SENet (Kundu et al., ICLR 2023); formulas reconstructed,
docs/reduction.md names the parts that are ours. If the command is killed, run it again: it continues.
Budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce senet --budget 15000 --network resnet18 --data digits -o folder
  pi-bench reduce senet --budget 60000 30000 --network resnet18 --data cifar100 --download -o senet
"""


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("senet --budget 9 --density 0.2 --network resnet18 -o senet".split()).density
    0.2
    """
    parser = subparsers.add_parser(
        "senet",
        help="keep single ReLUs by ReLU sensitivities and differences of maps (after SENet, ICLR 2023)",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    budget_options.add_options(parser, "the full network")
    parser.add_argument(
        "--map-weight",
        type=number,
        metavar="X",
        help="weight of the matching of maps in the finetuning (default 1000)",
    )
    group = parser.add_argument_group("choice of masks")
    group.add_argument(
        "--density",
        type=number,
        metavar="X",
        help="fraction of the weights that pruning keeps; a layer that keeps few gets many ReLUs "
        "(default 0.1)",
    )
    group.add_argument(
        "--settled",
        type=number,
        metavar="X",
        help="fraction of the masks below which a change between epochs ends the choice (default 0.01)",
    )
    group.add_argument(
        "--choice-epochs", type=whole_number, metavar="N", help="largest number of epochs (default 20)"
    )
    group.add_argument(
        "--compared-images",
        type=whole_number,
        metavar="N",
        help="training images on which maps are compared (default 1024)",
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
        return main(["reduce", "senet", "--budget", "15000", "--network", "resnet18", "-o", folder])
    ```
    """
    model_options.require_torch("reduce")
    models = importlib.import_module("pi_bench.models")
    base = base_network.base_recipe(models, parsed, relus_at_paper_sites=True)
    latency_options.require(parsed)
    import torch

    search = importlib.import_module("pi_bench.models.reduction.senet")
    settings = _settings(search, parsed, training_options.device_of(torch, parsed.device))
    return conduct(parsed, base, settings, search.senet, "SENet on {}")


def _settings(search: Any, parsed: argparse.Namespace, device: str) -> Any:
    """Returns the settings of the search. Raises: UsageError: a value is out of range."""
    training = importlib.import_module("pi_bench.models.training")
    linearization = importlib.import_module("pi_bench.models.linearization.settings")
    selection = importlib.import_module("pi_bench.models.senet.settings")
    trained = training_options.settings_of(training, parsed)
    shared = budget_options.shared_settings(trained)
    finetuning = budget_options.finetuning_settings(
        parsed, linearization.default_finetuning(parsed.data), shared
    )
    weight = selection.PRAM_WEIGHT if parsed.map_weight is None else parsed.map_weight
    given = {
        "density": parsed.density,
        "settled": parsed.settled,
        "epoch_limit": parsed.choice_epochs,
        "image_count": parsed.compared_images,
    }
    return search.SenetSettings(
        budgets=budget_options.budgets_of(parsed),
        training=trained,
        finetuning=replace(finetuning, map_weight=weight),
        selection=selection.SelectionSettings(
            **shared | {"learning_rate": finetuning.learning_rate} | budget_options.chosen(given)
        ),
        data_dir=parsed.data_dir,
        device=device,
        threads=parsed.threads or 1,
        teacher=parsed.teacher,
    )
