"""The form of the methods that find one network per budget: their options, and the start of a search."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pi_bench.cli import model_options, training_options
from pi_bench.cli.arguments import Parser
from pi_bench.cli.reduce import base_network, budget_options, latency_options
from pi_bench.cli.reduce.search import conduct

_REPLACEMENT = ("gradient_limit", "interpolation", "range_penalty")
"""The settings of trainings in which polynomials replace ReLUs."""

OwnSettings = Callable[[argparse.Namespace, Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSearch:
    """A method of `pi-bench reduce` that finds one network per budget.

    Attributes:
        name: the name of the method, of its module in ``pi_bench.models.reduction`` and of its function.
        settings: the name of the class of its settings in that module.
        title: title of the figure, with ``{}`` for the network's name.
        several: the part that several budgets in one call share.
        help: the line in the list of methods.
        description: the text above the options.
        epilog: the text below the options.
        add_own: adds the options that other methods lack.
        own_settings: returns the settings that other methods lack. It takes the parsed arguments and the
            settings that all methods have, by name, which its result may change.
        polynomials: whether the trainings of reduced networks replace ReLUs by polynomials.

    >>> search = BudgetSearch(
    ...     name="prune", settings="PruningSettings", title="Pruning of {}", several="the full network",
    ...     help="prune filters", description="", epilog="", add_own=lambda parser: None,
    ...     own_settings=lambda parsed, common: {},
    ... )
    >>> parser = Parser(prog="pi-bench")
    >>> search.add_parser(parser.add_subparsers())
    >>> parser.parse_args("prune --budget 60 30 --network resnet18 -o folder".split()).budget
    [60, 30]
    """

    name: str
    settings: str
    title: str
    several: str
    help: str
    description: str
    epilog: str
    add_own: Callable[[Parser], object]
    own_settings: OwnSettings
    polynomials: bool = False

    def add_parser(self, subparsers: Any) -> None:
        """Adds the method to `argparse` subparsers. Its namespace has ``run``, the method below."""
        parser = subparsers.add_parser(
            self.name, help=self.help, description=self.description, epilog=self.epilog
        )
        budget_options.add_options(parser, self.several)
        self.add_own(parser)
        parser.set_defaults(run=self.run)

    def run(self, parsed: argparse.Namespace) -> int:
        """Runs the search, measures the networks that it finds, and prints their frontier.

        Returns the exit code.

        Raises:
            PiBenchError: an option or the data cannot be used, or a training or a measurement failed.
        """
        model_options.require_torch("reduce")
        models = importlib.import_module("pi_bench.models")
        base = base_network.base_recipe(models, parsed, relus_at_paper_sites=True)
        latency_options.require(parsed)
        import torch

        search = importlib.import_module(f"pi_bench.models.reduction.{self.name}")
        common = self._common(parsed, training_options.device_of(torch, parsed.device))
        settings = getattr(search, self.settings)(**common | self.own_settings(parsed, common))
        return conduct(parsed, base, settings, getattr(search, self.name), self.title)

    def _common(self, parsed: argparse.Namespace, device: str) -> dict[str, Any]:
        """Returns the settings that all methods have. Raises: UsageError: a value is out of range."""
        training = importlib.import_module("pi_bench.models.training")
        linearization = importlib.import_module("pi_bench.models.linearization.settings")
        trained = training_options.settings_of(training, parsed)
        defaults = linearization.default_finetuning(parsed.data)
        if self.polynomials:
            replacing = training_options.settings_of(training, parsed, polynomials=True)
            defaults = defaults | {name: getattr(replacing, name) for name in _REPLACEMENT}
        finetuning = budget_options.finetuning_settings(
            parsed, defaults, budget_options.shared_settings(trained)
        )
        if self.polynomials:  # those options count for the reduced networks alone
            trained = replace(trained, interpolation=0.0, range_penalty=0.0)
        return {
            "budgets": budget_options.budgets_of(parsed),
            "training": trained,
            "finetuning": finetuning,
            "data_dir": training_options.data_dir_of(parsed),
            "device": device,
            "threads": parsed.threads or 1,
            "teacher": parsed.teacher,
        }
