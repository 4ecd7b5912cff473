"""`pi-bench reduce senet`: keeps single ReLUs by ReLU sensitivities of layers, to one or more budgets."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pi_bench.cli.arguments import Parser, number
from pi_bench.cli.reduce import job_options
from pi_bench.cli.reduce.budget_search import BudgetSearch

_SELECTION = "senet.settings.SelectionSettings"
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


def _add_own(parser: Parser) -> None:
    parser.add_argument(
        "--map-weight",
        type=number,
        metavar="X",
        help="weight of the matching of maps in the finetuning (default 1000)",
    )
    job_options.add_options(parser.add_argument_group("choice of masks"), _SELECTION)


def _own_settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
    rate = common["finetuning"].learning_rate
    weight = parsed.map_weight
    if weight is None:
        weight = importlib.import_module("pi_bench.models.senet.settings").PRAM_WEIGHT
    return {
        "selection": job_options.settings_of(_SELECTION, parsed, common["training"], learning_rate=rate),
        "finetuning": replace(common["finetuning"], map_weight=weight),
    }


SEARCH = BudgetSearch(
    name="senet",
    settings="SenetSettings",
    title="SENet on {}",
    several="the full network",
    help="keep single ReLUs by ReLU sensitivities and differences of maps (after SENet, ICLR 2023)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
)
add_parser = SEARCH.add_parser
