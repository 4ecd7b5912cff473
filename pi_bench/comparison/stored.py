"""Reads results that were measured before: kept runs, and files of ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pi_bench.errors import InputError, UsageError
from pi_bench.history import History
from pi_bench.history.facts import kind_of
from pi_bench.history.result_files import read_file
from pi_bench.report.documents.latency import Result
from pi_bench.report.stored import stored_result


def read_results(names: Sequence[str], history: Path | None, *, files: bool = True) -> list[Result]:
    """Reads results, each named by a file of ``--json`` or by a run of the history.

    Args:
        files: whether a name may be that of a file.

    Raises:
        UsageError: there is no such run, or there is no history.
        InputError: a file holds no result of `pi-bench latency`, or another version wrote it.

    >>> read_results([], None)
    []
    """
    return [_result(name, _document(name, history, files)) for name in names]


def _document(name: str, history: Path | None, files: bool) -> Any:
    path = Path(name)
    if files and path.exists():
        found = read_file(path)
        if len(found) != 1:
            raise InputError(f"{name} holds {len(found):,} results; a side is one")
        return found[0][0]
    if history is None:
        raise UsageError(f"there is no file {name}, and this user has no history")
    with History(history, create=False) as opened:
        return opened.document(opened.find(name, "latency", neither=("a file",) if files else ()).id)


def _result(name: str, document: Any) -> Result:
    if kind_of(document) != "latency":
        raise InputError(
            f"{name} is a result of another command; only results of `pi-bench latency` are compared"
        )
    try:
        return stored_result(document, Result)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
