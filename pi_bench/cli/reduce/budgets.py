"""Options of the searches that go to budgets of ReLUs: SNL and the baseline that it is compared with."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from pi_bench.cli import training_options
from pi_bench.cli.arguments import Parser, number, positive_int, whole_number
from pi_bench.cli.reduce import engines, measuring, networks

SHARED = ("batch_size", "precision", "validation_fraction", "seed")


def add_options(parser: Parser, several: str) -> None:
    """Args: several: what several budgets in one call share."""
    parser.add_argument(
        "--budget",
        required=True,
        nargs="+",
        type=positive_int,
        metavar="N",
        help=f"ReLUs to keep; several numbers share {several}",
    )
    networks.add_options(parser)
    training_options.add_data(parser)
    training_options.add_training(parser)
    add_finetuning(parser, "the full one", "1e-3; digits 1e-2")
    engines.add_options(parser)
    measuring.add_options(parser)


def add_finetuning(parser: argparse.ArgumentParser, teacher: str, rates: str) -> None:
    """Args: teacher: which network it distils from. rates: the default learning rates, in words."""
    group = parser.add_argument_group(f"finetuning of each network, with distillation from {teacher}")
    group.add_argument("--finetune-epochs", type=whole_number, metavar="N", help="(100; digits 10)")
    group.add_argument("--finetune-learning-rate", type=number, metavar="X", help=f"({rates})")


def shared_settings(trained: Any) -> dict[str, Any]:
    """What the teacher's `TrainingSettings` have in common with those of every later step."""
    return {name: getattr(trained, name) for name in SHARED}


def finetuning_settings(parsed: argparse.Namespace, defaults: dict[str, Any], shared: dict[str, Any]) -> Any:
    """Args: defaults: of the method, on the data. shared: the settings of `SHARED`.

    Raises UsageError: a value outside its range."""
    training = importlib.import_module("pi_bench.models.training")
    given = {"epochs": parsed.finetune_epochs, "learning_rate": parsed.finetune_learning_rate}
    return training.TrainingSettings(**defaults | shared | chosen(given))


def budgets_of(parsed: argparse.Namespace) -> tuple[int, ...]:
    """Largest first, each once."""
    return tuple(sorted(set(parsed.budget), reverse=True))


def chosen(values: dict[str, Any]) -> dict[str, Any]:
    """Without the options that were not given."""
    return {name: value for name, value in values.items() if value is not None}
