"""Options of the searches that linearize a network as SNL does."""

from __future__ import annotations

import argparse
import importlib
import os
from typing import Any

from pi_bench.cli.arguments import number, whole_number
from pi_bench.cli.reduce import budget_options


def add_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the options of a linearization and returns their group. `settings_of` reads them.

    >>> parser = argparse.ArgumentParser()
    >>> group = add_options(parser)
    >>> parser.parse_args(["--lasso", "1e-4"]).lasso
    0.0001
    """
    group = parser.add_argument_group("linearization (defaults depend on the data)")
    group.add_argument(
        "--mask-learning-rate",
        type=number,
        metavar="X",
        help="learning rate of Adam for masks and weights (default 1e-3)",
    )
    group.add_argument(
        "--lasso",
        type=number,
        metavar="X",
        help="initial penalty of the masks, lambda in the paper (default 1e-5)",
    )
    group.add_argument(
        "--lasso-growth",
        type=number,
        metavar="X",
        help="factor for the penalty after an epoch that removes no ReLU, kappa in the paper (default 1.1)",
    )
    group.add_argument(
        "--threshold",
        type=number,
        metavar="X",
        help="value above which a mask keeps its ReLU, epsilon in the paper (default 0.01)",
    )
    group.add_argument(
        "--epoch-limit",
        type=whole_number,
        metavar="N",
        help="largest number of epochs of the linearization (default 2000)",
    )
    return group


def settings_of(parsed: argparse.Namespace, trained: Any, masks: str | None = None) -> Any:
    """Returns the `LinearizationSettings` that the user asked for.

    Args:
        trained: the `TrainingSettings` of the teacher, which shares some with the linearization.
        masks: "pixel" or "channel". With None, it is the default.

    Raises:
        UsageError: a value is out of range.

    ```python
    def settings(parsed: argparse.Namespace, trained: object) -> object:
        return settings_of(parsed, trained, masks="channel")
    ```
    """
    linearization = importlib.import_module("pi_bench.models.linearization.settings")
    given = {
        "masks": masks,
        "learning_rate": parsed.mask_learning_rate,
        "lasso": parsed.lasso,
        "lasso_growth": parsed.lasso_growth,
        "threshold": parsed.threshold,
        "epoch_limit": parsed.epoch_limit,
    }
    return linearization.LinearizationSettings(
        **linearization.default_linearization(parsed.data)
        | budget_options.shared_settings(trained)
        | budget_options.chosen(given)
    )


def threads_of(parsed: argparse.Namespace, device: str) -> int:
    """Returns the threads of a linearization. Nothing runs beside it, so it uses all cores by default.

    >>> threads_of(argparse.Namespace(threads=2, engine="local"), "cpu")
    2
    """
    if parsed.threads:
        return int(parsed.threads)
    return len(os.sched_getaffinity(0)) if device == "cpu" and parsed.engine == "local" else 1
