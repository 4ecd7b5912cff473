"""`pi-bench reduce bcd`: removes single ReLUs of an SNL network in blocks, to one or more budgets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from pi_bench.cli.arguments import Parser, positive_int
from pi_bench.cli.reduce import job_options, linearization_options
from pi_bench.cli.reduce.budget_search import BudgetSearch

_DESCENT = "linearization.descent_settings.DescentSettings"
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


def _add_own(parser: Parser) -> None:
    group = parser.add_argument_group("descent")
    group.add_argument(
        "--start",
        type=positive_int,
        metavar="N",
        help="ReLUs of the SNL network from which the descent starts (default twice the largest budget)",
    )
    job_options.add_options(group, _DESCENT)
    linearization_options.add_options(parser)


def _own_settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
    rate = common["finetuning"].learning_rate
    descent = job_options.settings_of(_DESCENT, parsed, common["training"], learning_rate=rate)
    return {
        **linearization_options.settings_of(parsed, common),
        "descent": descent,
        "start": parsed.start,
    }


SEARCH = BudgetSearch(
    name="bcd",
    settings="BcdSettings",
    title="Coordinate descent on {}",
    several="one descent",
    help="remove blocks of ReLUs of an SNL network by coordinate descent (after arXiv 2511.11781)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
)
add_parser = SEARCH.add_parser
