"""Options of the searches: the network that they start from, and the folder that they write."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pi_bench.cli.arguments import number
from pi_bench.cli.recipes import recipe_of
from pi_bench.errors import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the network and of the folder. `base_recipe` reads those of the network.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> parser.parse_args(["--network", "resnet18", "-o", "folder"]).network
    'resnet18'
    """
    parser.add_argument(
        "--network",
        required=True,
        metavar="NAME",
        help="network to start from, with all its ReLUs: resnet18 …, a recipe's name, or a .toml file",
    )
    parser.add_argument(
        "--alpha",
        type=number,
        metavar="X",
        help="first multiply the number of channels by X (the network's own alpha becomes alpha times X)",
    )
    add_output(parser)
    add_teacher(parser, "an earlier training of the full network (default: it is trained first)")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Adds ``--output``, the folder to write to.

    >>> parser = argparse.ArgumentParser()
    >>> add_output(parser)
    >>> parser.parse_args(["-o", "folder"]).output
    PosixPath('folder')
    """
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FOLDER", help="folder to write to"
    )


def add_teacher(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds ``--teacher``.

    Args:
        what: words for the training in the folder and for the default without a folder.

    >>> parser = argparse.ArgumentParser()
    >>> add_teacher(parser, "a training")
    >>> parser.parse_args(["--teacher", "folder"]).teacher
    PosixPath('folder')
    """
    parser.add_argument("--teacher", type=Path, metavar="FOLDER", help=f"folder of {what}")


def base_recipe(models: Any, parsed: argparse.Namespace, *, relus_at_paper_sites: bool = False) -> Any:
    """Returns the recipe that the search starts from.

    Args:
        models: ``pi_bench.models``.
        relus_at_paper_sites: whether a network that is named by its family loses the ReLUs of its stem
            and head, which the networks of the SNL paper do not have.

    Raises:
        ModelError: the file of the recipe cannot be read, or narrowing the network leaves no channel.
        UsageError: there is no network of that name, or ``--alpha`` is out of range.

    >>> from importlib import import_module
    >>> parsed = argparse.Namespace(network="resnet18", data="cifar100", alpha=0.5)
    >>> base_recipe(import_module("pi_bench.models"), parsed).alpha
    0.5
    """
    recipe = models.full_recipe(parsed.network, parsed.data)
    if recipe is not None and relus_at_paper_sites:
        recipe = models.snl_placement(recipe)
    recipe = recipe or recipe_of(models, parsed.network)
    if parsed.alpha is None:
        return recipe
    if not 0 < parsed.alpha <= 1:
        raise UsageError(f"--alpha is {parsed.alpha:g}, allowed: above 0, up to 1")
    return models.narrowed(recipe, parsed.alpha)
