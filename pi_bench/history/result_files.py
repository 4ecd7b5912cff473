"""Reads and writes results as files: one result per file, or one per line with its tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.errors import InputError, reason
from pi_bench.history.facts import facts_of

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


def read_file(path: Path) -> list[tuple[dict[str, Any], list[str]]]:
    """Reads the results of a file, each with its tags: a file of ``--json``, or of ``history export``.

    Raises:
        InputError: it cannot be read, or one of its results is none. Then none of them is returned.

    >>> read_file(Path("no-such-file.json"))
    Traceback (most recent call last):
    pi_bench.errors.InputError: cannot read no-such-file.json: No such file or directory
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for results")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} holds no results: it is no text") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from None
    parts = _whole(text)
    found = []
    try:
        for part in (
            [json.loads(line) for line in text.splitlines() if line.strip()] if parts is None else parts
        ):
            document, tags = part, []
            if isinstance(part, dict) and set(part) == {"tags", "result"}:
                document, tags = part["result"], part["tags"]
            facts_of(document)
            if not isinstance(tags, list) or len(tags) > _MAX_TAGS or not all(type(t) is str for t in tags):
                raise InputError("its tags are no list of names")
            found.append((document, tags))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} holds no results: it is not JSON") from None
    if not found:
        raise InputError(f"{path} holds no results: it is empty")
    return found


def _whole(text: str) -> list[Any] | None:
    """Returns the one JSON value of a text, or None if it is not one value."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return None
