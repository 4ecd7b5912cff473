"""`pi-bench reduce plan`: makes layers quadratic, cubic or linear, to one or more budgets."""

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
_DESCRIPTION = """\
Chooses for each layer whether it keeps its ReLUs or becomes quadratic, cubic or linear (the planner of
DELPHI, Mishra et al., USENIX Security 2020, generalized). Short trainings find the accuracy that each
choice costs. The choices that save most ReLUs, or most predicted time, per lost accuracy are made until the
budget is met. With --population, plans come from population-based training, as in DELPHI's public code.
Finetunes with knowledge distillation, and measures with `pi-bench latency`. If the command is killed, run
it again: it continues. Budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce plan --budget 30000 --network resnet18 --data digits -o folder
  pi-bench reduce plan --objective online --link lan --budget 250ms --network resnet18 --data digits -o lan
"""


def _add_own(parser: Parser) -> None:
    group = parser.add_argument_group("plan")
    group.add_argument(
        "--choices",
        nargs="+",
        choices=_CHOICES,
        default=list(_CHOICES),
        help="what a layer may become (default: all three)",
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
    tuned, epochs = common["finetuning"], parsed.sensitivity_epochs
    return {
        "sensitivity": replace(tuned, epochs=max(3, tuned.epochs // 10) if epochs is None else epochs),
        "choices": tuple(dict.fromkeys(parsed.choices)),
        "population": job_options.settings_of(_POPULATION, parsed, common["training"]),
    }


SEARCH = BudgetSearch(
    name="plan",
    settings="PlanSettings",
    title="Plans for {}",
    several="the full network and the short trainings",
    help="make layers quadratic, cubic or linear (DELPHI's planner on predicted time)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
    polynomials=True,
)
add_parser = SEARCH.add_parser
