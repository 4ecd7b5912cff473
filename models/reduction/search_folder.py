"""The folder of a search: it holds one search, and one process at a time works in it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pi_bench.costs import Costs
from pi_bench.errors import OutputError, TrainingError, reason
from pi_bench.prediction.costs_file import read_costs, write_costs

from ..training.training_files import write_whole
from .objective import TimeObjective
from .time_budgets import FoundBudgets

SEARCH_FILE = "search.json"
_LOCK_FILE = ".lock"
_COSTS_FILE = "costs.json"
_BUDGETS_FILE = "budgets.json"


@contextmanager
def claimed(root: Path, search: Mapping[str, Any]) -> Iterator[None]:
    """Reserves the folder for this search until the context ends.

    Args:
        search: JSON values that tell this search from others; search.json keeps them.

    Raises:
        TrainingError: The folder holds another search, or is in use by another process.
        OutputError: The folder cannot be used.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     with claimed(Path(name), {"search": "snl"}):
    ...         print(Path(name, "search.json").read_text())
    {
      "search": "snl"
    }
    <BLANKLINE>
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"cannot use {root} as the output folder: {reason(error)}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(f"another process works in {root}: wait for it, or end it") from None
        require_same(root, search)
        if not (root / SEARCH_FILE).exists():
            write_whole(root / SEARCH_FILE, (json.dumps(search, indent=2) + "\n").encode())
        yield
    finally:
        os.close(handle)


def keep_costs(objective: TimeObjective, root: Path) -> None:
    """Writes the costs that times are predicted by to the folder, unless it has some.

    `kept_costs` returns them to a later command, which so predicts the same times.

    Raises:
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> from pi_bench.costs import LINK_UNITS
    >>> from pi_bench.prediction.simulated_run import Setting
    >>> from pi_bench.registry import default_protocol
    >>> costs = Costs(dict.fromkeys(LINK_UNITS, 1e-6), threads=1, machine={})
    >>> info = default_protocol()
    >>> with tempfile.TemporaryDirectory() as name:
    ...     keep_costs(TimeObjective("online", info, info.configure(), Setting(costs)), Path(name))
    ...     kept_costs(Path(name)).of("hop")
    1e-06
    """
    path = root / _COSTS_FILE
    if path.exists():
        return
    try:
        write_costs(objective.setting.costs, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None


def kept_costs(root: Path) -> Costs | None:
    """Returns the costs that an earlier command has kept in the folder, or None.

    Raises:
        InputError: The file holds no costs.

    >>> kept_costs(Path("nowhere")) is None
    True
    """
    path = root / _COSTS_FILE
    return read_costs(path) if path.exists() else None


def keep_budgets(found: FoundBudgets, root: Path, objective: TimeObjective | None) -> None:
    """Adds the numbers of ReLUs that budgets of time allow to those of the folder, for `kept_budgets`.

    Nothing is written if `objective` predicts by other costs than those of the folder.

    Raises:
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> from pi_bench.costs import LINK_UNITS
    >>> from pi_bench.prediction.simulated_run import Setting
    >>> from pi_bench.registry import default_protocol
    >>> info, setting = default_protocol(), Setting(Costs(dict.fromkeys(LINK_UNITS, 1e-6), 1, {}))
    >>> objective = TimeObjective("online", info, info.configure(), setting)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     keep_costs(objective, Path(name))
    ...     keep_budgets({"15ms": (60, 0.0149)}, Path(name), objective)
    ...     Path(name, "budgets.json").read_text()
    '{"15ms": [60, 0.0149]}\\n'
    """
    if found and objective is not None and kept_costs(root) == objective.setting.costs:
        content = json.dumps(kept_budgets(root, objective) | found) + "\n"
        write_whole(root / _BUDGETS_FILE, content.encode())


def kept_budgets(root: Path, objective: TimeObjective | None) -> FoundBudgets:
    """Returns the numbers of ReLUs that an earlier command has found for budgets of time in the folder.

    There are none if `objective` predicts by other costs than those of the folder.

    >>> kept_budgets(Path("nowhere"), None)
    {}
    """
    if objective is None or kept_costs(root) != objective.setting.costs:
        return {}
    try:
        found = json.loads((root / _BUDGETS_FILE).read_text())
        return {str(text): (int(count), float(time_s)) for text, (count, time_s) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # they are looked for again
        return {}


def require_same(root: Path, search: Mapping[str, Any]) -> None:
    """Checks that the folder holds no other search; `claimed` does so too, and keeps the search.

    Raises:
        TrainingError: It does, or its search cannot be read.

    >>> require_same(Path("nowhere"), {"search": "snl"})
    """
    path = root / SEARCH_FILE
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot read {path}: {reason(error)}: choose another --output folder") from None
    for key, value in search.items():
        if not isinstance(found, dict) or found.get(key) != value:
            raise TrainingError(
                f"{root} holds another search, with another {key}: choose another --output folder, "
                "or delete this one"
            )
