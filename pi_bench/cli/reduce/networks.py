"""Options of the searches: which network they start from, and where they write."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pi_bench.cli import options
from pi_bench.cli.arguments import number
from pi_bench.errors import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--network",
        required=True,
        metavar="NAME",
        help="to start from, with all its ReLUs: resnet18 …, a recipe's name, or a .toml file",
    )
    parser.add_argument(
        "--alpha",
        type=number,
        metavar="X",
        help="narrow the network first: its channels times X (its own alpha times X)",
    )
    add_output(parser)
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FOLDER",
        help="of an earlier training of the full network (default: trained first)",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FOLDER", help="what to write to")


def base_recipe(models: Any, parsed: argparse.Namespace, *, relus_at_paper_sites: bool = False) -> Any:
    """Return the recipe that the search starts from.

    Args:
        models: ``pi_bench.models``.
        relus_at_paper_sites: whether a network that is named by its family loses the ReLUs of its stem
            and head, which the networks of the SNL paper do not have.

    Raises:
        ModelError: There is no network of that name, or narrowing it leaves no channel.
        UsageError: --alpha is outside its range.
    """
    recipe = models.full_recipe(parsed.network, parsed.data)
    if recipe is not None and relus_at_paper_sites:
        recipe = models.snl_placement(recipe)
    recipe = recipe or options.recipe_of(models, parsed.network)
    if parsed.alpha is None:
        return recipe
    if not 0 < parsed.alpha <= 1:
        raise UsageError(f"--alpha is {parsed.alpha:g}, allowed: above 0, up to 1")
    return models.narrowed(recipe, parsed.alpha)
