"""`pi-bench reduce nas`: searches architectures of a space, to one or more budgets."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import replace
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.arguments import positive_int, whole_number
from pi_bench.cli.recipes import recipe_of
from pi_bench.cli.reduce import base_network, budget_options, engine_options, job_options, latency_options
from pi_bench.cli.reduce.search import conduct
from pi_bench.errors import UsageError

_NAS = "architectures.settings.NasSettings"
_EVOLUTION = ("population", "tournament", "children")
_SPACES = ("cryptonas", "sphynx")
_DESCRIPTION = """\
Searches architectures in a space: the layers and skips of CryptoNAS (Ghodsi et al., NeurIPS 2020), or the
cells and reductions of Sphynx (Cho et al., 2022). Candidates are drawn, or evolve from the best ones
(regularized evolution). Each is made as wide as the budget of ReLUs or of predicted time allows, and trained
for a few epochs; validation images judge it. Trains the best ones in full, and measures them with
`pi-bench latency`. If the command is killed, run it again: it continues. Budgets can be added later, and
so can --candidates and --finals.
"""
_EPILOG = """\
examples:
  pi-bench reduce nas --budget 15000 --data digits -o folder
  pi-bench reduce nas --space sphynx --objective online --link lan --budget 40ms --data digits -o lan
"""


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> parser.parse_args("nas --budget 15000 --space sphynx -o folder".split()).space
    'sphynx'
    """
    parser = subparsers.add_parser(
        "nas",
        help="search architectures within a budget (the spaces of CryptoNAS and Sphynx)",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--space",
        choices=_SPACES,
        default="cryptonas",
        help="space of architectures (default cryptonas)",
    )
    budget_options.add_budget(parser, "nothing but the folder")
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="network of the space whose images, stem and number of reductions the candidates have: a "
        "recipe's name or a .toml file (default: the published one)",
    )
    parser.add_argument(
        "--image-side",
        type=positive_int,
        metavar="N",
        help="height and width of the images, for data that come in several sizes, as digits do (default: "
        "those of the network)",
    )
    base_network.add_output(parser)
    base_network.add_teacher(parser, "a training to distil from (default: there is none)")
    group = parser.add_argument_group("architecture search")
    group.add_argument(
        "--search",
        choices=("evolution", "random"),
        default="evolution",
        help="how candidates are found (default evolution)",
    )
    job_options.add_options(group, _NAS)
    group.add_argument(
        "--candidate-epochs",
        type=whole_number,
        metavar="N",
        help="epochs of the training that judges a candidate (default: a tenth of --epochs, at least 3)",
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
        return main(["reduce", "nas", "--budget", "15000", "-o", folder])
    ```
    """
    model_options.require_torch("reduce")
    if parsed.search == "random":
        for name in _EVOLUTION:
            if getattr(parsed, name) is not None:
                raise UsageError(f"--{name} goes with --search evolution")
    models = importlib.import_module("pi_bench.models")
    spaces = importlib.import_module("pi_bench.models.architectures.spaces")
    network = parsed.network or spaces.SPACES[parsed.space].network
    base = _sized(models.full_recipe(network, parsed.data) or recipe_of(models, network), parsed)
    latency_options.require(parsed)
    import torch

    training = importlib.import_module("pi_bench.models.training")
    search = importlib.import_module("pi_bench.models.reduction.nas")
    trained, epochs = training_options.settings_of(training, parsed), parsed.candidate_epochs
    settings = search.NasSearchSettings(
        budgets=budget_options.budgets_of(parsed),
        space=parsed.space,
        strategy=parsed.search,
        nas=job_options.settings_of(_NAS, parsed, trained),
        judging=replace(trained, epochs=max(3, trained.epochs // 10) if epochs is None else epochs),
        training=trained,
        data_dir=parsed.data_dir,
        device=training_options.device_of(torch, parsed.device),
        threads=parsed.threads or 1,
        teacher=parsed.teacher,
    )
    return conduct(parsed, base, settings, search.nas, "Architectures like {}")


def _sized(base: Any, parsed: argparse.Namespace) -> Any:
    """Returns the recipe with images of ``--image-side``.

    Raises:
        UsageError: the data set has no such images.
    """
    if parsed.image_side is None:
        return base
    wanted = (base.input_shape[0], parsed.image_side, parsed.image_side)
    shape = importlib.import_module("pi_bench.models.data").image_shape(parsed.data, wanted)
    if shape[1:] != wanted[1:]:
        raise UsageError(
            f"--image-side {parsed.image_side}: the images of {parsed.data} are {shape[1]} x {shape[2]}"
        )
    return replace(base, dataset="any", input_shape=shape, published=None)
