"""Keeps the result of a command in the history. A history that cannot be used never loses a result."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pi_bench.cli.output import writable
from pi_bench.errors import PiBenchError, UsageError


def add_history(parser: argparse._ActionsContainer) -> None:
    """Adds ``--history`` and ``--no-history``.

    >>> parser = argparse.ArgumentParser()
    >>> add_history(parser)
    >>> parser.parse_args(["--no-history"]).no_history
    True
    """
    parser.add_argument(
        "--history",
        metavar="FILE",
        help="keep the result in this database (default: that of the user; `pi-bench history` lists it)",
    )
    parser.add_argument("--no-history", action="store_true", help="keep the result nowhere")


def require_history(parsed: argparse.Namespace) -> None:
    """Refuses flags that contradict each other or name a file that cannot be written, before anything starts.

    Raises:
        UsageError: both flags are given, or ``--history`` names a file in a folder that does not exist.

    >>> require_history(argparse.Namespace(history="h.db", no_history=True))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --history FILE and --no-history contradict each other; give one of them
    """
    if parsed.history is not None and parsed.no_history:
        raise UsageError("--history FILE and --no-history contradict each other; give one of them")
    writable(parsed.history)


def history_path(parsed: argparse.Namespace) -> Path | None:
    """Returns the database that the user names, or that of the user; None if there is none.

    >>> history_path(argparse.Namespace(history="runs.db")).name
    'runs.db'
    """
    from pi_bench.history import default_path

    return default_path() if parsed.history is None else Path(parsed.history)


def keep(parsed: argparse.Namespace, document: Any) -> str:
    """Keeps a result, and returns a line that names its number; "" if it was not kept.

    A history that cannot be used gives a warning on standard error.

    >>> keep(argparse.Namespace(history=None, no_history=True), {})
    ''
    """
    from msgspec import to_builtins

    from pi_bench.history import History

    path = history_path(parsed)
    if parsed.no_history or path is None:
        return ""
    try:
        with History(path) as history:
            number = history.add(to_builtins(document))
    except PiBenchError as error:
        print(f"warning: this run is not kept: {error}", file=sys.stderr)
        return ""
    return f"kept as run {number} (`pi-bench history show {number}`)"
