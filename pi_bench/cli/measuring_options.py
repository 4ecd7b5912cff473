"""Adds the options of `MeasurementOptions` to the parsers of commands, and reads them."""

from __future__ import annotations

import argparse

from pi_bench.cli.fidelity_options import require_fitting
from pi_bench.errors import UsageError
from pi_bench.measurement_options.option import Declaration, declarations
from pi_bench.measurement_options.table import MeasurementOptions


def add_options(parser: argparse._ActionsContainer, command: str, group: str) -> None:
    """Adds the options of one group that a command takes, to its parser or to a group of it.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser, "infer", "measuring")
    >>> parser.parse_args(["--timeout", "30"])
    Namespace(threads=None, timeout=30.0)
    """
    for declaration in declarations(MeasurementOptions).values():
        if declaration.group == group and command in declaration.commands:
            declaration.add_to(parser, command)


def options_of(parsed: argparse.Namespace) -> MeasurementOptions:
    """Returns the options that the user asked for. Those that the command lacks have their defaults.

    >>> options_of(argparse.Namespace(runs=3)).runs
    3
    """
    return MeasurementOptions.from_arguments(vars(parsed))


def require_consistent(parsed: argparse.Namespace) -> None:
    """Refuses options of `pi-bench latency` that contradict each other, and a fidelity that is impossible.

    Raises:
        UsageError: there are such options.

    >>> require_consistent(argparse.Namespace(max_time=9.0, precision=None))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --max-time bounds --precision; give --precision too, or --runs alone
    """
    if parsed.max_time is not None and parsed.precision is None:
        raise UsageError("--max-time bounds --precision; give --precision too, or --runs alone")
    require_fitting(parsed)


def given_options(parsed: argparse.Namespace) -> list[Declaration]:
    """Returns the declarations of the options whose value is not the default.

    >>> [option.key for option in given_options(argparse.Namespace(runs=3, timeout=120.0))]
    ['runs']
    """
    known = declarations(MeasurementOptions).values()
    return [each for each in known if getattr(parsed, each.key, each.default) != each.default]
