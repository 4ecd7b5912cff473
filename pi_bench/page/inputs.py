"""Reads the results that a page shows: from files of ``--json``, from folders, and from the history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pi_bench.errors import InputError, UsageError
from pi_bench.history import History
from pi_bench.history.facts import kind_of
from pi_bench.history.result_files import file_results
from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.documents.latency import Result
from pi_bench.report.stored import stored_result
from pi_bench.sweep.folder import holds_sweep, unmeasured_cells
from pi_bench.unknown_name import similar_names

_KINDS: dict[str, type[Result] | type[Accuracy]] = {"latency": Result, "accuracy": Accuracy}
_Shown: TypeAlias = tuple[str, dict[str, Any], Result | Accuracy]
"""A short name, the values of the JSON, and the result."""


@dataclass(frozen=True)
class NamedResult:
    """Holds a result of `pi-bench latency` under the name by which it was given.

    Attributes:
        name: the file without its ending, or the number or tag in the history.

    ```python
    def names(results: list[NamedResult]) -> list[str]:
        return [each.name for each in results]
    ```
    """

    name: str
    result: Result


@dataclass
class PageInputs:
    """Holds everything that a page is made from.

    Attributes:
        results: those of `pi-bench latency`.
        accuracies: those of `pi-bench accuracy`.
        documents: the values of the JSON of both, in the order in which they were given.
        passed_over: the files of folders and the lines of files without a result that a page shows, each
            with the reason.
        unmeasured: the cells of sweeps without a result, each with the reason.

    >>> PageInputs().documents
    []
    """

    results: list[NamedResult] = field(default_factory=list)
    accuracies: list[Accuracy] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)


def read_inputs(names: Sequence[str], history: Path | None) -> PageInputs:
    """Reads the results of `pi-bench latency` and `accuracy`. A result that is named twice is read once.

    Args:
        names: each a file of ``--json`` or of ``history export``, a folder of such files, or a run of the
            history.

    Raises:
        UsageError: there is no such file or run. The message offers similar names.
        InputError: a file or a folder holds no result that a page shows.

    >>> read_inputs([], None).results
    []
    """
    found, seen = PageInputs(), set()
    for name in names:
        found.unmeasured += unmeasured_cells(Path(name))
        for short, document, result in _shown(name, history, found.passed_over):
            content = json.dumps(document, sort_keys=True)
            if content in seen:
                continue
            seen.add(content)
            found.documents.append(document)
            if isinstance(result, Accuracy):
                found.accuracies.append(result)
            else:
                found.results.append(NamedResult(short, result))
    found.passed_over = list(dict.fromkeys(found.passed_over))
    return found


def _shown(name: str, history: Path | None, passed_over: list[str]) -> list[_Shown]:
    """Returns the results behind a name, each with a short name of its own."""
    path = Path(name)
    if path.is_dir():
        return _of_folder(path, passed_over)
    if path.exists():
        return _of_file(path, passed_over)
    document = _of_history(name, history)
    return [(name, document, _converted(f"run {name}", document))]


def _of_folder(folder: Path, passed_over: list[str]) -> list[_Shown]:
    """Returns the results of all JSON files and files of JSON lines below a folder.

    A folder may hold other JSON files, such as the plan of a sweep. They are passed over, and said to be.
    """
    shown: list[_Shown] = []
    reasons: list[str] = []
    for path in sorted([*folder.rglob("*.json"), *folder.rglob("*.jsonl")]):
        try:
            shown += _of_file(path, reasons)
        except InputError as error:
            reasons.append(str(error))
    if not shown and not reasons and holds_sweep(folder):
        raise InputError(
            f"no cell of the sweep in {folder} is finished yet; the command that began the sweep continues it"
        )
    if not shown:
        raise InputError(
            f"the folder {folder} holds no result that a page shows; "
            + (_first(reasons) or "write one with `pi-bench latency MODEL --json FILE`")
        )
    passed_over += reasons
    return shown


def _of_file(path: Path, passed_over: list[str]) -> list[_Shown]:
    """Returns the results of a file. Of several, those that a page does not show are passed over."""
    shown: list[_Shown] = []
    reasons: list[str] = []
    for each in file_results(path, reasons):
        try:
            result = _converted(each.place, each.document)
        except InputError as error:
            if each.line is None:
                raise
            reasons.append(str(error))
        else:
            several = "" if each.line is None else f" {each.tags[0] if each.tags else each.line}"
            shown.append((f"{path.stem}{several}", each.document, result))
    if not shown:
        raise InputError(f"{path} holds no result that a page shows; {_first(reasons)}")
    passed_over += reasons
    return shown


def _first(reasons: Sequence[str]) -> str:
    more = f" (and {len(reasons) - 1:,} more)" if len(reasons) > 1 else ""
    return f"{reasons[0]}{more}" if reasons else ""


def _of_history(name: str, history: Path | None) -> dict[str, Any]:
    path = Path(name)
    if path.suffix or len(path.parts) > 1:
        near = similar_names(path.name, _siblings(path))
        raise UsageError(
            f"there is no file {name}" + (f"; {near}" if near else "; check its name and folder")
        )
    if history is None:
        raise UsageError(f"there is no file {name}, and this user has no history")
    with History(history, create=False) as opened:
        return opened.document(opened.find(name, "latency", neither=("a file", "a folder")).id)


def _siblings(path: Path) -> list[str]:
    try:
        return [each.name for each in path.parent.iterdir()]
    except OSError:
        return []


def _converted(place: str, document: dict[str, Any]) -> Result | Accuracy:
    try:
        kind = kind_of(document)
        if kind not in _KINDS:
            raise InputError(
                "this is a result of `pi-bench compare`; a page shows results of latency and accuracy"
            )
        return stored_result(printable(document), _KINDS[kind])
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def printable(value: Any) -> Any:
    """Replaces, in all texts of JSON values, control characters and those that turn the direction of text.

    Such characters could make a page show another name than the file has. HTML forbids some of them.

    >>> printable({"name": "one\u202etwo", "lines": ["a\\nb"]})
    {'name': 'one\ufffdtwo', 'lines': ['a b']}
    """
    if isinstance(value, str):
        if value.isprintable():
            return value
        spaced = " ".join(value.split())
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in spaced)
    if isinstance(value, dict):
        return {printable(name): printable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [printable(each) for each in value]
    return value
