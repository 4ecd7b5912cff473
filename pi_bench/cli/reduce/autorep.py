"""`pi-bench reduce autorep`: replaces single ReLUs by quadratics, down to one or more budgets of ReLUs."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pi_bench.cli.arguments import Parser
from pi_bench.cli.reduce import job_options
from pi_bench.cli.reduce.budget_search import BudgetSearch

_REPLACEMENT = "autorep.settings.ReplacementSettings"
_DESCRIPTION = """\
Trains for each pixel an indicator that chooses between ReLU and a quadratic of its channel (after AutoReP,
Peng et al., ICCV 2023), keeps exactly as many ReLUs as the budget says, finetunes with knowledge distillation
from the full network, and measures with `pi-bench latency`. docs/reduction.md names the parts that are ours.
If the command is killed, run it again: it continues. Budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce autorep --budget 15000 --network resnet18 --data digits -o folder
  pi-bench reduce autorep --budget 15000 --variant paper --network resnet18 --data cifar100 -o paper
"""


def _add_own(parser: Parser) -> None:
    group = parser.add_argument_group("replacement of ReLUs by quadratics (defaults depend on the data)")
    group.add_argument(
        "--variant",
        metavar="NAME",
        help="quadratics at the start: corrected, those nearest to ReLU behind batch norms (default), or "
        "paper, those of the public code",
    )
    job_options.add_options(group, _REPLACEMENT)


def _own_settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
    defaults = importlib.import_module("pi_bench.models.autorep.settings").default_replacement(parsed.data)
    chosen = {} if parsed.variant is None else {"variant": parsed.variant}
    settings = job_options.settings_of(_REPLACEMENT, parsed, common["training"], **defaults | chosen)
    bounds = {name: getattr(settings.training, name) for name in ("gradient_limit", "range_penalty")}
    return {"replacement": settings, "finetuning": replace(common["finetuning"], **bounds)}


SEARCH = BudgetSearch(
    name="autorep",
    settings="AutorepSettings",
    title="AutoReP on {}",
    several="the full network",
    help="replace single ReLUs by quadratics of their channels (after AutoReP, ICCV 2023)",
    description=_DESCRIPTION,
    epilog=_EPILOG,
    add_own=_add_own,
    own_settings=_own_settings,
)
add_parser = SEARCH.add_parser
