"""Options of the searches that have budgets of ReLUs: SNL, and the baseline that it is compared with."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from pi_bench.cli import training_options
from pi_bench.cli.arguments import Parser, number, whole_number
from pi_bench.cli.reduce import base_network, engine_options, latency_options, objective_options

SHARED = ("batch_size", "precision", "validation_fraction", "seed")


def add_options(parser: Parser, several: str) -> None:
    """Adds all options of a search with budgets.

    Args:
        several: the part that several budgets in one call share.

    >>> parser = Parser(prog="pi-bench")
    >>> add_options(parser, "the full network")
    >>> budgets_of(parser.parse_args("--budget 30 60 --network resnet18 -o folder".split()))
    (30, 60)
    """
    add_budget(parser, several)
    base_network.add_options(parser)
    training_options.add_data(parser)
    training_options.add_training(parser)
    add_finetuning(parser, "the full one", "1e-3; digits 1e-2")
    engine_options.add_options(parser)
    latency_options.add_options(parser)


def add_budget(parser: argparse.ArgumentParser, several: str) -> None:
    """Adds ``--budget``. `budgets_of` reads it.

    Args:
        several: as for `add_options`.

    >>> parser = argparse.ArgumentParser()
    >>> add_budget(parser, "the full network")
    >>> parser.parse_args(["--budget", "30", "60"]).budget
    [30, 60]
    """
    parser.add_argument(
        "--budget",
        required=True,
        nargs="+",
        type=objective_options.budget,
        metavar="N",
        help="number of ReLUs to keep, or the largest predicted time, such as 15ms, with an --objective of "
        f"time; several budgets share {several}",
    )


def add_finetuning(parser: argparse.ArgumentParser, teacher: str, rates: str) -> None:
    """Adds the options of finetuning.

    Args:
        teacher: the network that it distils from, in words.
        rates: the default learning rates, in words.

    >>> parser = argparse.ArgumentParser()
    >>> add_finetuning(parser, "the full one", "1e-3")
    >>> parser.parse_args(["--finetune-epochs", "9"]).finetune_epochs
    9
    """
    group = parser.add_argument_group(f"finetuning of each network, with distillation from {teacher}")
    group.add_argument(
        "--finetune-epochs", type=whole_number, metavar="N", help="number of epochs (default 100; digits 10)"
    )
    group.add_argument(
        "--finetune-learning-rate", type=number, metavar="X", help=f"learning rate (default {rates})"
    )


def shared_settings(trained: Any) -> dict[str, Any]:
    """Returns the settings that the teacher's training shares with every later step.

    Args:
        trained: `TrainingSettings`.

    >>> from importlib import import_module
    >>> shared_settings(import_module("pi_bench.models.training").TrainingSettings(seed=7))["seed"]
    7
    """
    return {name: getattr(trained, name) for name in SHARED}


def finetuning_settings(parsed: argparse.Namespace, defaults: dict[str, Any], shared: dict[str, Any]) -> Any:
    """Returns the `TrainingSettings` of the finetuning that the user asked for.

    Args:
        defaults: the settings of the method on the data.
        shared: the settings of `SHARED`.

    Raises:
        UsageError: a value is out of range.

    >>> parser = argparse.ArgumentParser()
    >>> add_finetuning(parser, "the full one", "1e-3")
    >>> parsed = parser.parse_args(["--finetune-epochs", "9"])
    >>> finetuning_settings(parsed, {"epochs": 100}, {"seed": 7}).epochs
    9
    """
    training = importlib.import_module("pi_bench.models.training")
    given = {"epochs": parsed.finetune_epochs, "learning_rate": parsed.finetune_learning_rate}
    return training.TrainingSettings(**defaults | shared | chosen(given))


def budgets_of(parsed: argparse.Namespace) -> tuple[Any, ...]:
    """Returns the budgets as they were given, numbers of ReLUs and times, each once.

    >>> budgets_of(argparse.Namespace(budget=[30, 60, 30]))
    (30, 60)
    """
    return tuple(dict.fromkeys(parsed.budget))


def chosen(values: dict[str, Any]) -> dict[str, Any]:
    """Drops the options that the user did not give.

    >>> chosen({"epochs": 9, "learning_rate": None})
    {'epochs': 9}
    """
    return {name: value for name, value in values.items() if value is not None}
