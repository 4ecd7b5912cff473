"""`pi-bench reduce plan`: makes layers or channels quadratic, cubic or linear, to one or more budgets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pi_bench.cli.arguments import Parser, whole_number
from pi_bench.cli.reduce import job_options
from pi_bench.cli.reduce.budget_search import BudgetSearch
from pi_bench.errors import UsageError

_POPULATION = "population.settings.PopulationSettings"
_CHOICES = ("quadratic", "cubic", "linear")
_CHANNEL_GROUPS = 8
_DESCRIPTION = """\
Chooses for each layer whether it keeps its ReLUs or becomes quadratic, cubic or linear (the planner of
DELPHI, Mishra et al., USENIX Security 2020, generalized). Short trainings find the accuracy that each
choice costs. The choices that save most ReLUs, or most predicted time, per lost accuracy are made until the
budget is met. With --granularity channel, it chooses for groups of channels of each layer, at the least loss
within the budget. With --population, plans come from population-based training, as in DELPHI's public code.
Finetunes with knowledge distillation, and measures with `pi-bench latency`. If the command is killed, run it
again: it continues. Budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce plan --budget 30000 --network resnet18 --data digits -o folder
  pi-bench reduce plan --objective online --link lan --budget 250ms --network resnet18 --data digits -o lan
  pi-bench reduce plan --granularity channel --budget 30000 --network resnet18 --data digits -o channels
"""


def _add_own(parser: Parser) -> None:
    group = parser.add_argument_group("plan")
    group.add_argument(
        "--choices",
        nargs="+",
        choices=_CHOICES,
        default=list(_CHOICES),
        help="what a layer or channel may become (default: all three)",
    )
    group.add_argument(
        "--granularity",
        choices=("layer", "channel"),
        default="layer",
        help="whether choices are for whole layers or for groups of their channels (default layer)",
    )
    group.add_argument(
        "--channel-groups",
        type=whole_number,
        metavar="N",
        help=f"groups of channels of each layer, with --granularity channel (default {_CHANNEL_GROUPS})",
    )
    group.add_argument(
        "--sensitivity-epochs",
        type=whole_number,
        metavar="N",
        help="epochs of the short training of each choice for each layer (default: a tenth of those of "
        "finetuning, at least 3)",
    )
    job_options.add_options(parser.add_argument_group("population-based training"), _POPULATION)


def _own_settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of plans. Raises: UsageError: an option is out of place or range."""
    if job_options.given(_POPULATION, parsed) and not parsed.population:
        raise UsageError("options of populations go with --population: add it, or leave them out")
    if parsed.population and parsed.sensitivity_epochs is not None:
        raise UsageError("--sensitivity-epochs goes without --population, which has no sensitivities")
    by_channel = parsed.granularity == "channel"
    if by_channel and parsed.population:
        raise UsageError("--granularity channel goes without --population, whose plans are by layers")
    if parsed.channel_groups is not None and not by_channel:
        raise UsageError("--channel-groups goes with --granularity channel: add it, or leave it out")
    groups = _CHANNEL_GROUPS if parsed.channel_groups is None else parsed.channel_groups
    tuned, epochs = common["finetuning"], parsed.sensitivity_epochs
    return {
        "sensitivity": replace(tuned, epochs=max(3, tuned.epochs // 10) if epochs is None else epochs),
        "channel_groups": groups if by_channel else None,
        "choices": tuple(dict.fromkeys(parsed.choices)),
        "population": job_options.settings_of(_POPULATION, parsed, common["training"]),
    }


SEARCH = BudgetSearch(
    name="plan",
    settings="PlanSettings",
    title="Plans for {}",
    several="the full network and the short trainings",
    help="make layers or channels quadratic, cubic or linear (DELPHI's planner on predicted time)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
    polynomials=True,
)
add_parser = SEARCH.add_parser
