"""`pi-bench reduce prune`: prunes filters by a criterion to one or more budgets of ReLUs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from pi_bench.cli.arguments import Parser
from pi_bench.cli.reduce import job_options
from pi_bench.cli.reduce.budget_search import BudgetSearch
from pi_bench.errors import UsageError

_CRITERIA = ("l1", "l2", "geometric-median", "lfpc")
_SAMPLING = "lfpc.settings.CriteriaSettings"
_DESCRIPTION = """\
Prunes filters, the structured baseline that SNL is compared with (Li et al., ICLR 2017). Removes the filters
that rank lowest by a criterion, as few as the budget of ReLUs asks for, and finetunes with knowledge
distillation from the full network. Whole filters are removed, so a network ends at its budget or below. The
network must be a residual network of basic blocks. With --criterion lfpc, each layer gets the criterion whose
pruned network has the smallest loss on validation images (He et al., CVPR 2020).
"""
_EPILOG = """\
examples:
  pi-bench reduce prune --budget 30000 --network resnet18 --data digits -o l1
  pi-bench reduce prune --budget 30000 --criterion lfpc --network resnet18 --data digits -o lfpc
"""


def _add_own(parser: Parser) -> None:
    parser.add_argument(
        "--criterion",
        choices=_CRITERIA,
        default="l1",
        help="order of the filters: l1 or l2 norm, the distance from the layer's geometric median, or lfpc "
        "for one of these per layer (default l1)",
    )
    group = parser.add_argument_group("choice of a criterion per layer, with --criterion lfpc")
    job_options.add_options(group, _SAMPLING)


def _own_settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the criterion. Raises: UsageError: an option is out of place or range."""
    if job_options.given(_SAMPLING, parsed) and parsed.criterion != "lfpc":
        raise UsageError(
            "--sampling-steps and --sampling-learning-rate are options of --criterion lfpc: add it, or leave "
            "them out"
        )
    sampling = job_options.settings_of(_SAMPLING, parsed, common["training"])
    return {"criterion": parsed.criterion, "sampling": sampling}


SEARCH = BudgetSearch(
    name="prune",
    settings="PruningSettings",
    title="Filter pruning of {}",
    several="the full network",
    help="prune filters by a criterion, the structured baseline (Li et al., ICLR 2017)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
)
add_parser = SEARCH.add_parser
