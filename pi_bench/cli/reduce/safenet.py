"""`pi-bench reduce safenet`: makes channels cubic, quadratic or linear, to one or more budgets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pi_bench.cli.arguments import Parser
from pi_bench.cli.reduce import job_options
from pi_bench.cli.reduce.budget_search import BudgetSearch

_RELAXATION = "safenet.settings.RelaxationSettings"
_DESCRIPTION = """\
Chooses for each channel whether it keeps its ReLUs or becomes cubic, quadratic or linear, so that each
layer has a ratio of its own. A training weighs all kinds in each channel, with a penalty that brings the
cost to the budget, in ReLUs or in predicted time. Each channel then takes one kind, so that the network
meets the budget. Finetunes with knowledge distillation, and measures with `pi-bench latency`. The method
is after SAFENet (Lou et al., ICLR 2021), whose text was not at hand; docs/reduction.md names the parts
that are ours. If the command is killed, run it again: it continues. Budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce safenet --budget 15000 --network resnet18 --data digits -o folder
  pi-bench reduce safenet --objective online --link lan --budget 250ms --network resnet18 --data digits -o lan
"""


def _add_own(parser: Parser) -> None:
    job_options.add_options(parser.add_argument_group("choice of kinds"), _RELAXATION)


def _own_settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
    # The polynomials are trained already, so the finetuning does not begin with ReLUs again.
    finetuning = replace(common["finetuning"], interpolation=parsed.interpolation or 0.0)
    relaxation = job_options.settings_of(_RELAXATION, parsed, common["training"])
    return {"relaxation": relaxation, "finetuning": finetuning}


SEARCH = BudgetSearch(
    name="safenet",
    settings="SafenetSettings",
    title="Mixtures for {}",
    several="the full network",
    help="make channels cubic, quadratic or linear (after SAFENet, ICLR 2021)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
    polynomials=True,
)
add_parser = SEARCH.add_parser
