"""`pi-bench reduce snl`: runs selective network linearization to one or more budgets of ReLUs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from pi_bench.cli.arguments import Parser
from pi_bench.cli.reduce import linearization_options
from pi_bench.cli.reduce.budget_search import BudgetSearch

_DESCRIPTION = """\
Trains masks together with the weights until few enough ReLUs are left (SNL, Cho et al., ICML 2022,
Algorithm 1), keeps exactly as many as the budget allows, finetunes with knowledge distillation from the
full network, measures with `pi-bench latency`, and writes a folder: masks, recipes, trainings, pareto.csv
and pareto.svg.
If the command is killed, run it again: it continues. Smaller budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce snl --budget 15000 --network resnet18 --data digits -o folder
  pi-bench reduce snl --budget 60000 30000 15000 --network resnet18 --data cifar100 --download -o snl
  pi-bench reduce snl --budget 30000 --masks channel --network resnet18 --data cifar100 -o channels
"""


def _add_own(parser: Parser) -> None:
    group = linearization_options.add_options(parser)
    group.add_argument(
        "--masks", metavar="NAME", help="unit that keeps or loses its ReLUs: pixel (default) or channel"
    )


def _own_settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {} if parsed.masks is None else {"masks": parsed.masks}
    return linearization_options.settings_of(parsed, common, **chosen)


SEARCH = BudgetSearch(
    name="snl",
    settings="SnlSettings",
    title="SNL on {}",
    several="one linearization",
    help="remove single ReLUs by selective network linearization (Cho et al., ICML 2022)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
)
add_parser = SEARCH.add_parser
