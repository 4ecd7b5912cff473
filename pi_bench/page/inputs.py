"""Reads the results that a page shows: from files of ``--json``, from folders, and from the history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pi_bench.errors import InputError, UsageError
from pi_bench.history import History
from pi_bench.history.facts import kind_of
from pi_bench.history.result_files import read_file
from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.documents.latency import Result
from pi_bench.unknown_name import similar_names

_KINDS: dict[str, type[Result] | type[Accuracy]] = {"latency": Result, "accuracy": Accuracy}
_VERSIONS = {"latency": 2, "accuracy": 2}


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
        passed_over: the files of folders that hold no result, each with the reason.

    >>> PageInputs().documents
    []
    """

    results: list[NamedResult] = field(default_factory=list)
    accuracies: list[Accuracy] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def read_inputs(names: Sequence[str], history: Path | None) -> PageInputs:
    """Reads the results of `pi-bench latency` and `accuracy`. A result that is named twice is read once.

    Args:
        names: each a file of ``--json`` or of ``history export``, a folder of such files, or a run of the
            history.

    Raises:
        UsageError: there is no such file or run. The message offers similar names.
        InputError: a file holds no result, another version wrote it, or a folder holds none.

    >>> read_inputs([], None).results
    []
    """
    found, seen = PageInputs(), set()
    for name in names:
        for short, document in _documents(name, history, found.passed_over):
            content = json.dumps(document, sort_keys=True)
            if content in seen:
                continue
            seen.add(content)
            _add(found, short, name if short in name else f"{name}: {short}", document)
    return found


def _add(found: PageInputs, short: str, name: str, document: dict[str, Any]) -> None:
    result = _converted(name, document)
    found.documents.append(document)
    if isinstance(result, Accuracy):
        found.accuracies.append(result)
    else:
        found.results.append(NamedResult(short, result))


def _documents(
    name: str, history: Path | None, passed_over: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the results behind a name, each with a short name of its own."""
    path = Path(name)
    if path.is_dir():
        yield from _of_folder(path, passed_over)
    elif path.exists():
        yield from _of_file(path)
    else:
        yield name, _of_history(name, history)


def _of_folder(folder: Path, passed_over: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the results of all JSON files below a folder.

    A folder may hold other JSON files, such as the plan of a sweep. They are passed over, and said to be.
    """
    count = 0
    for path in sorted(folder.rglob("*.json")):
        try:
            results = list(_of_file(path))
        except InputError as error:
            passed_over.append(str(error))
            continue
        yield from results
        count += len(results)
    if not count:
        raise InputError(
            f"the folder {folder} holds no result; write one with `pi-bench latency MODEL --json FILE`"
        )


def _of_file(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    found = read_file(path)
    for number, (document, tags) in enumerate(found, start=1):
        several = f" {tags[0] if tags else number}" if len(found) > 1 else ""
        yield f"{path.stem}{several}", document


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


def _converted(name: str, document: dict[str, Any]) -> Result | Accuracy:
    kind = kind_of(document)
    if kind not in _KINDS:
        raise InputError(
            f"{name} is a result of `pi-bench compare`; a page shows results of latency and accuracy"
        )
    version, known = document.get("schema_version"), _VERSIONS[kind]
    if version != known:
        raise InputError(
            f"{name} has the schema version {version!r:.20}, and this pi-bench reads version {known}; "
            "measure it again, or use the pi-bench that wrote it"
        )
    try:
        return msgspec.convert(printable(document), _KINDS[kind])
    except msgspec.ValidationError:
        raise InputError(f"{name} was written by another version of pi-bench; measure it again") from None


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
