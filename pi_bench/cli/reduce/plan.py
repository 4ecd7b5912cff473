"""`pi-bench reduce plan`: makes layers quadratic, cubic or linear, to one or more budgets."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import replace
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.arguments import whole_number
from pi_bench.cli.reduce import base_network, budget_options, latency_options
from pi_bench.cli.reduce.search import conduct

_CHOICES = ("quadratic", "cubic", "linear")
_DESCRIPTION = """\
Chooses for each layer whether it keeps its ReLUs or becomes quadratic, cubic or linear (the planner of
DELPHI, Mishra et al., USENIX Security 2020, generalized). Short trainings find the accuracy that each choice
costs. The choices that save most ReLUs, or most predicted time, per lost accuracy are made until the budget
is met. Finetunes with knowledge distillation, and measures with `pi-bench latency`. If the command is
killed, run it again: it continues. Budgets can be added later.
"""
_EPILOG = """\
examples:
  pi-bench reduce plan --budget 30000 --network resnet18 --data digits -o folder
  pi-bench reduce plan --objective online --link lan --budget 250ms --network resnet18 --data digits -o lan
"""


def add_parser(subparsers: Any) -> None:
    """Adds the method to `argparse` subparsers. Its namespace has ``run``, the function below.

    >>> from pi_bench.cli.arguments import Parser
    >>> parser = Parser(prog="pi-bench")
    >>> add_parser(parser.add_subparsers())
    >>> words = "plan --budget 9 --choices quadratic linear --network resnet18 -o plan"
    >>> parser.parse_args(words.split()).choices
    ['quadratic', 'linear']
    """
    parser = subparsers.add_parser(
        "plan",
        help="make layers quadratic, cubic or linear (DELPHI's planner on predicted time)",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    budget_options.add_options(parser, "the full network and the short trainings")
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
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Runs the search, measures the networks that it finds, and prints their frontier. Returns the exit
    code.

    Raises:
        PiBenchError: an option or the data cannot be used, or a training or a measurement failed.

    ```python
    from pi_bench.cli import main

    def search(folder: str) -> int:
        return main(["reduce", "plan", "--budget", "30000", "--network", "resnet18", "-o", folder])
    ```
    """
    model_options.require_torch("reduce")
    models = importlib.import_module("pi_bench.models")
    base = base_network.base_recipe(models, parsed, relus_at_paper_sites=True)
    latency_options.require(parsed)
    import torch

    search = importlib.import_module("pi_bench.models.reduction.plan")
    settings = _settings(search, parsed, training_options.device_of(torch, parsed.device))
    return conduct(parsed, base, settings, search.plan, "Plans for {}")


def _settings(search: Any, parsed: argparse.Namespace, device: str) -> Any:
    """Returns the settings of the search. Raises: UsageError: a value is out of range."""
    training = importlib.import_module("pi_bench.models.training")
    linearization = importlib.import_module("pi_bench.models.linearization.settings")
    defaults = linearization.default_finetuning(parsed.data)
    finetuning = {**defaults, **_replacement(training, parsed)}
    trained = training_options.settings_of(training, parsed)
    shared = budget_options.shared_settings(trained)
    tuned = budget_options.finetuning_settings(parsed, finetuning, shared)
    epochs = parsed.sensitivity_epochs
    return search.PlanSettings(
        budgets=budget_options.budgets_of(parsed),
        training=replace(trained, interpolation=0.0, range_penalty=0.0),
        finetuning=tuned,
        sensitivity=replace(tuned, epochs=max(3, tuned.epochs // 10) if epochs is None else epochs),
        choices=tuple(dict.fromkeys(parsed.choices)),
        data_dir=parsed.data_dir,
        device=device,
        threads=parsed.threads or 1,
        teacher=parsed.teacher,
    )


def _replacement(training: Any, parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings with which polynomials replace ReLUs, in which options of a training count."""
    settings = training_options.settings_of(training, parsed, polynomials=True)
    return {name: getattr(settings, name) for name in ("gradient_limit", "interpolation", "range_penalty")}
