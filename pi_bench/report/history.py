"""The list of kept runs as text, CSV and JSON, and one kept run as text."""

from __future__ import annotations

import csv
import dataclasses
import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pi_bench.errors import InputError
from pi_bench.history import RunFacts, StoredRun
from pi_bench.history.facts import kind_of
from pi_bench.report.columns import Shown
from pi_bench.report.quantities import byte_count, counted, seconds
from pi_bench.report.text_table import render_table

_HEADER = ("run", "time (UTC)", "network", "protocol", "link", "online", "offline", "bytes", "tags", "commit")
_DROP = ("commit", "bytes", "offline", "tags", "link", "protocol", "time (UTC)")
_WORDS = {1, 2, 3, 4, 8, 9}
_FOLDS = (40, 28, 20)  # characters of a line of a cell, from wide terminals to narrow ones


def render_list(runs: Sequence[StoredRun], found: int = 0) -> str:
    """Writes the list of runs as a table. `found`: how many there are, where not all are listed.

    >>> print(render_list([]))
    no run is kept that fits; `pi-bench latency`, `accuracy` and `compare` keep theirs
    """
    if not runs:
        return "no run is kept that fits; `pi-bench latency`, `accuracy` and `compare` keep theirs"
    rows = [
        (
            str(run.id),
            run.facts.time[:16].replace("T", " "),
            run.facts.network,
            run.facts.protocol or run.facts.kind,
            run.facts.link or "-",
            _seconds(run.facts.online_s) + ("" if run.facts.verified in (True, None) else " FAILED"),
            _seconds(run.facts.offline_s),
            "-" if run.facts.online_bytes is None else byte_count(run.facts.online_bytes),
            ", ".join(run.tags) or "-",
            (run.facts.commit_id or "-")[:12],
        )
        for run in runs
    ]
    for characters in _FOLDS:
        folded = [line for row in rows for line in _folded(row, characters)]
        lines = render_table(_HEADER, folded, left=_WORDS, drop=_DROP, whole=_WORDS)
        if "tags" in lines[0]:
            break
    return "\n".join([*lines, _count(len(runs), found)])


def _folded(row: tuple[str, ...], characters: int) -> Iterator[tuple[str, ...]]:
    """Breaks a row into lines whose names and tags have at most `characters`, so that no value is cut."""
    cells = {at: textwrap.wrap(row[at], characters) for at in (2, 8)}
    for number in range(max(map(len, cells.values()))):
        yield tuple(
            "".join(cells[at][number : number + 1]) if at in cells else cell if number == 0 else ""
            for at, cell in enumerate(row)
        )


def _count(shown: int, found: int) -> str:
    if found <= shown:
        return counted(shown, "run")
    return f"the newest {shown:,} of {counted(found, 'run')}; --limit {found} lists all"


def list_csv(runs: Sequence[StoredRun]) -> str:
    r"""Writes the list of runs as CSV, with every fact in SI units.

    >>> list_csv([]).startswith("id,tags,kind,time,network")
    True
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "tags", *(field.name for field in dataclasses.fields(RunFacts))])
    for run in runs:
        writer.writerow([run.id, " ".join(run.tags), *dataclasses.astuple(run.facts)])
    return text.getvalue()


def list_document(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """Returns the list of runs as JSON values, with the names of the CSV.

    >>> list_document([])
    []
    """
    return [{"id": run.id, "tags": list(run.tags), **dataclasses.asdict(run.facts)} for run in runs]


def tags_text(run: StoredRun) -> str:
    """Writes the number, the time and the tags of a run.

    >>> tags_text(StoredRun(3, (), RunFacts("latency", "2026-11-29T12:00:00+00:00", "resnet18")))
    'run 3 of 2026-11-29T12:00:00+00:00'
    """
    return f"run {run.id} of {run.facts.time}" + (f", tagged {', '.join(run.tags)}" if run.tags else "")


def render_document(fields: Mapping[str, Any], shown: Shown | None = None) -> str:
    """Writes a kept result as its command wrote it.

    shown: the layers and columns of a table by layer; None for those that cost most.

    Raises:
        InputError: another version wrote it, with fields of another meaning.

    ```python
    def show(fields: Mapping[str, Any]) -> None:  # the values of a file of --json
        print(render_document(fields))
    ```
    """
    from pi_bench.report.accuracy_text import render_accuracy
    from pi_bench.report.comparison import render_comparison
    from pi_bench.report.documents.accuracy import Accuracy
    from pi_bench.report.documents.comparison import ComparisonResult
    from pi_bench.report.documents.latency import Result
    from pi_bench.report.terminal import render_result

    kind = kind_of(fields)
    try:
        if kind == "latency":
            return render_result(msgspec.convert(fields, Result), labels=[], shown=shown)
        if kind == "comparison":
            return render_comparison(msgspec.convert(fields, ComparisonResult))
        return render_accuracy(msgspec.convert(fields, Accuracy), shown)
    except msgspec.ValidationError:
        raise InputError(
            "another version of pi-bench wrote this result; --json FILE writes its values"
        ) from None


def _seconds(value_s: float | None) -> str:
    return "-" if value_s is None else seconds(value_s)
