"""Options of the jobs of searches, which the tables of their settings declare (`models.job_settings`)."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from pi_bench.cli.arguments import number, whole_number
from pi_bench.cli.reduce import budget_options

_PARSERS: dict[type, Callable[[str], Any]] = {int: whole_number, float: number}


def settings_class(name: str) -> Any:
    """Returns the class of a job's settings. It imports no torch.

    Args:
        name: the name of the module in ``pi_bench.models``, a dot, and the name of the class.

    >>> settings_class("senet.settings.SelectionSettings")().density
    0.1
    """
    module, _, found = name.rpartition(".")
    return getattr(importlib.import_module(f"pi_bench.models.{module}"), found)


def add_options(group: argparse._ActionsContainer, name: str) -> None:
    """Adds the options that the settings of a job declare. `settings_of` reads them.

    Args:
        name: as `settings_class` takes it.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser, "senet.settings.SelectionSettings")
    >>> parser.parse_args(["--density", "0.2"]).density
    0.2
    """
    for entry in settings_class(name).entries().values():
        if entry.flag:
            kind = type(entry.default)
            group.add_argument(
                entry.flag,
                type=_PARSERS[kind],
                metavar="N" if kind is int else "X",
                help=f"{entry.help} (default {entry.default:g})",
            )


def settings_of(name: str, parsed: argparse.Namespace, trained: Any, **defaults: Any) -> Any:
    """Returns the settings of a job that the user asked for.

    Args:
        name: as `settings_class` takes it.
        trained: the `TrainingSettings` of the teacher, which shares some with every job.
        defaults: values of settings that the user did not give, in place of the defaults of the table.

    Raises:
        UsageError: a value is out of range.

    >>> from importlib import import_module
    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser, "senet.settings.SelectionSettings")
    >>> trained = import_module("pi_bench.models.training").TrainingSettings(seed=7)
    >>> parsed = parser.parse_args(["--density", "0.2"])
    >>> found = settings_of("senet.settings.SelectionSettings", parsed, trained, settled=0.5)
    >>> found.density, found.settled, found.seed
    (0.2, 0.5, 7)
    """
    shared = budget_options.shared_settings(trained)
    return settings_class(name)(**defaults | shared | given(name, parsed))


def given(name: str, parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings of a job that the user gave on the command line.

    Args:
        name: as `settings_class` takes it.

    >>> given("senet.settings.SelectionSettings", argparse.Namespace(density=0.2, settled=None))
    {'density': 0.2}
    """
    entries = settings_class(name).entries()
    return budget_options.chosen(
        {setting: getattr(parsed, entry.key, None) for setting, entry in entries.items() if entry.flag}
    )
