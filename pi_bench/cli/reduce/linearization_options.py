"""Options of the searches that linearize a network as SNL does."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Mapping
from typing import Any

from pi_bench.cli.reduce import job_options

_SETTINGS = "linearization.settings.LinearizationSettings"


def add_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the options of a linearization and returns their group. `settings_of` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> group = add_options(parser)
    >>> parser.parse_args(["--lasso", "1e-4"]).lasso
    0.0001
    """
    group = parser.add_argument_group("linearization (defaults depend on the data)")
    job_options.add_options(group, _SETTINGS)
    return group


def settings_of(parsed: argparse.Namespace, common: Mapping[str, Any], **chosen: Any) -> dict[str, Any]:
    """Returns the settings of a linearization and its threads, by the names that a search has for them.

    Args:
        common: the settings that all searches have.
        chosen: settings of the linearization that other options decide.

    Raises:
        UsageError: a value is out of range.

    ```python
    def settings(parsed: argparse.Namespace, common: Mapping[str, Any]) -> dict[str, Any]:
        return settings_of(parsed, common, masks="channel")
    ```
    """
    defaults = importlib.import_module("pi_bench.models.linearization.settings").default_linearization
    settings = job_options.settings_of(
        _SETTINGS, parsed, common["training"], **defaults(parsed.data) | chosen
    )
    return {"linearization": settings, "linearization_threads": threads_of(parsed, common["device"])}


def threads_of(parsed: argparse.Namespace, device: str) -> int:
    """Returns the threads of a linearization. Nothing runs beside it, so it uses all cores by default.

    >>> threads_of(argparse.Namespace(threads=2, engine="local"), "cpu")
    2
    """
    if parsed.threads:
        return int(parsed.threads)
    return len(os.sched_getaffinity(0)) if device == "cpu" and parsed.engine == "local" else 1
