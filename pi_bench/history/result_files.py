"""Reads and writes results as files: one result per file, or one per line with its tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.errors import InputError, reason
from pi_bench.history.facts import facts_of, require_finite, require_version

if TYPE_CHECKING:
    from pi_bench.history.database import History, StoredRun

_MAX_BYTES = 1 << 30
_MAX_TAGS = 100


def lines_of(history: History, runs: Sequence[StoredRun]) -> Iterator[str]:
    """Yields one line of JSON per run: its tags and its result.

    >>> import tempfile
    >>> from pi_bench.history.database import History
    >>> with tempfile.TemporaryDirectory() as folder, History(Path(folder) / "history.db") as history:
    ...     list(lines_of(history, history.runs()))
    []
    """
    for run in runs:
        fields = {"tags": list(run.tags), "result": history.document(run.id)}
        yield json.dumps(fields, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True)
class FileResult:
    """Holds a result that a file has.

    Attributes:
        document: the values of its JSON.
        tags: its names in the history from which it was exported.
        path: the file.
        line: its line where the file has several results, None where it has one.

    >>> FileResult({}, [], Path("all.jsonl"), 4).place
    'line 4 of all.jsonl'
    """

    document: dict[str, Any]
    tags: list[str]
    path: Path
    line: int | None

    @property
    def place(self) -> str:
        """The words that name the result in messages."""
        return _place(self.path, self.line)


def read_file(path: Path) -> list[tuple[dict[str, Any], list[str]]]:
    """Reads the results of a file, each with its tags: a file of ``--json``, or of ``history export``.

    Raises:
        InputError: it cannot be read, or one of its results is none or has a newer schema version. Then none
            of them is returned.

    >>> read_file(Path("no-such-file.json"))
    Traceback (most recent call last):
    pi_bench.errors.InputError: cannot read no-such-file.json: No such file or directory
    """
    return [(found.document, found.tags) for found in file_results(path)]


def file_results(path: Path, passed_over: list[str] | None = None) -> list[FileResult]:
    """Reads the results of a file as `read_file` does, with their places.

    Args:
        passed_over: gets the reasons of the lines that cannot be used, if the file has several. None for an
            error then.

    Raises:
        InputError: as `read_file`.

    >>> file_results(Path("no-such-file.json"))
    Traceback (most recent call last):
    pi_bench.errors.InputError: cannot read no-such-file.json: No such file or directory
    """
    parts = _parts(path)
    found = []
    for line, part in parts:
        try:
            document, tags = _checked(part)
        except InputError as error:
            words = f"{_place(path, line)}: {error}"
            if passed_over is None or line is None:
                raise InputError(words) from None
            passed_over.append(words)
        else:
            found.append(FileResult(document, tags, path, line))
    if not parts:
        raise InputError(f"{path} holds no results: it is empty")
    return found


def _place(path: Path, line: int | None) -> str:
    return str(path) if line is None else f"line {line} of {path}"


def _parts(path: Path) -> list[tuple[int | None, Any]]:
    """Returns the JSON values of a file: one, or several with their lines."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for results")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} holds no results: it is no text") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from None
    whole = _whole(text)
    if whole is not None:
        return [(None, whole[0])]
    try:
        lines = enumerate(text.splitlines(), start=1)
        return [(number, json.loads(line)) for number, line in lines if line.strip()]
    except (ValueError, RecursionError):
        raise InputError(f"{path} holds no results: it is not JSON") from None


def _checked(part: Any) -> tuple[dict[str, Any], list[str]]:
    """Returns a result and its tags, and refuses what is none."""
    document, tags = part, []
    if isinstance(part, dict) and set(part) == {"tags", "result"}:
        document, tags = part["result"], part["tags"]
    require_version(document, older=True)
    require_finite(document)
    facts_of(document)
    if not isinstance(tags, list) or len(tags) > _MAX_TAGS or not all(type(t) is str for t in tags):
        raise InputError("its tags are no list of names")
    return document, tags


def _whole(text: str) -> list[Any] | None:
    """Returns the one JSON value of a text, or None if it is not one value."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return None
