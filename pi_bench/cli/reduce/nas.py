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
_DARTS = "darts.settings.DartsSettings"
_DARTS_COUNTS = {"candidates": 4, "finals": 1}
"""The numbers of DARTS, which trains a relaxed network four times and takes the best cells."""
_EVOLUTION = ("population", "tournament", "children")
_SIZES = ("least_layers", "most_layers")
_SPACES = ("cryptonas", "sphynx")
_DESCRIPTION = """\
Searches architectures in a space: the layers and skips of CryptoNAS (Ghodsi et al., NeurIPS 2020), or the
cells and reductions of Sphynx (Cho et al., 2022). Candidates are drawn, evolve from the best ones
(regularized evolution), or are the cells that relaxed networks of Sphynx' space choose (DARTS). Each is made
as wide as the budget of ReLUs or of predicted time allows, and trained for a few epochs; validation images
judge it. Trains the best ones in full, and measures them with `pi-bench latency`. If the command is killed,
run it again: it continues. Budgets can be added later, and so can --candidates and --finals.
"""
_EPILOG = """\
examples:
  pi-bench reduce nas --budget 15000 --data digits -o folder
  pi-bench reduce nas --space sphynx --objective online --link lan --budget 40ms --data digits -o lan
  pi-bench reduce nas --space sphynx --search darts --budget 2500 --image-side 8 --data digits -o cells
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
        choices=("evolution", "random", "darts"),
        default="evolution",
        help="how candidates are found (default evolution; darts goes with --space sphynx, and has as many "
        "relaxed networks as --candidates, by default 4, and 1 final)",
    )
    job_options.add_options(group, _NAS)
    group.add_argument(
        "--candidate-epochs",
        type=whole_number,
        metavar="N",
        help="epochs of the training that judges a candidate (default: a tenth of --epochs, at least 3)",
    )
    job_options.add_options(parser.add_argument_group("relaxed cells (--search darts)"), _DARTS)
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
    darts = parsed.search == "darts"
    _require_apt(parsed)
    models = importlib.import_module("pi_bench.models")
    spaces = importlib.import_module("pi_bench.models.architectures.spaces")
    network = parsed.network or spaces.SPACES[parsed.space].network
    base = _sized(models.full_recipe(network, parsed.data) or recipe_of(models, network), parsed)
    latency_options.require(parsed)
    import torch

    training = importlib.import_module("pi_bench.models.training")
    search = importlib.import_module("pi_bench.models.reduction.nas")
    trained, epochs = training_options.settings_of(training, parsed), parsed.candidate_epochs
    cells = importlib.import_module("pi_bench.models.darts.settings").default_cells(parsed.data)
    settings = search.NasSearchSettings(
        budgets=budget_options.budgets_of(parsed),
        space=parsed.space,
        strategy=parsed.search,
        nas=job_options.settings_of(_NAS, parsed, trained, **(_DARTS_COUNTS if darts else {})),
        darts=job_options.settings_of(_DARTS, parsed, trained, **cells),
        judging=replace(trained, epochs=max(3, trained.epochs // 10) if epochs is None else epochs),
        training=trained,
        data_dir=training_options.data_dir_of(parsed),
        device=training_options.device_of(torch, parsed.device),
        threads=parsed.threads or 1,
        teacher=parsed.teacher,
    )
    return conduct(parsed, base, settings, search.nas, "Architectures like {}")


def _require_apt(parsed: argparse.Namespace) -> None:
    """Checks that the options go with the search and the objective.

    Raises:
        UsageError: one of them does not.
    """
    darts = parsed.search == "darts"
    if darts and parsed.space != "sphynx":
        raise UsageError("--search darts goes with --space sphynx, whose cells it weighs")
    if parsed.search != "evolution":
        for name in _EVOLUTION:
            if getattr(parsed, name) is not None:
                raise UsageError(f"--{name} goes with --search evolution")
    for name in _SIZES if darts else ():
        if getattr(parsed, name) is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} goes without --search darts: the number of cells is that of "
                "--network"
            )
    entries, given = job_options.settings_class(_DARTS).entries(), job_options.given(_DARTS, parsed)
    if given and not darts:
        raise UsageError(f"{entries[next(iter(given))].flag} goes with --search darts")
    if "time_weight" in given and parsed.objective == "relus":
        raise UsageError("--time-weight goes with --objective online or total")


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
