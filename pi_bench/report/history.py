"""The list of kept runs as text, CSV and JSON, and one kept run as text."""

from __future__ import annotations

import csv
import dataclasses
import io
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pi_bench.errors import InputError
from pi_bench.history import RunFacts, StoredRun
from pi_bench.history.facts import kind_of
from pi_bench.report.columns import Shown
from pi_bench.report.quantities import byte_count, counted, seconds, times_text
from pi_bench.report.text_table import render_table

_FLOOR = "floor"
_HEADER = (
    *("run", "kind", "time (UTC)", "network", "protocol", "link", "online", _FLOOR, "offline", "bytes"),
    *("tags", "commit"),
)
_DROP = ("commit", "bytes", "offline", _FLOOR, "link", "protocol", "tags", "kind", "time (UTC)")
_WORDS = ("kind", "time (UTC)", "network", "protocol", "link", "tags", "commit")
_FOLDED = ("time (UTC)", "network", "tags")
_FOLDS = ((16, 40), (16, 28), (16, 20), (10, 20), (10, 16))
"""Characters of a line of the time and of other folded cells, from wide terminals to narrow ones."""
_WANTED = {"network", "tags", "protocol", "link"}
_DIGEST_CHARACTERS = 8


def render_list(runs: Sequence[StoredRun], found: int = 0) -> str:
    """Writes the list of runs as a table.

    Args:
        found: how many there are, where not all are listed.

    >>> print(render_list([]))
    no run is kept that fits; `pi-bench latency`, `accuracy` and `compare` keep theirs
    """
    if not runs:
        return "no run is kept that fits; `pi-bench latency`, `accuracy` and `compare` keep theirs"
    alike = _alike(runs)
    rows: list[tuple[str, ...]] = [
        (
            str(run.id),
            run.facts.kind,
            run.facts.time[:16].replace("T", " "),
            _network(run.facts, alike),
            run.facts.protocol or "-",
            run.facts.link or "-",
            _seconds(run.facts.online_s) + ("" if run.facts.verified in (True, None) else " FAILED"),
            f"{times_text(run.facts.online_times_floor)} x" if run.facts.online_times_floor else "-",
            _seconds(run.facts.offline_s),
            "-" if run.facts.online_bytes is None else byte_count(run.facts.online_bytes),
            ", ".join(run.tags) or "-",
            (run.facts.commit_id or "-")[:12],
        )
        for run in runs
    ]
    header = list(_HEADER)
    if not any(run.facts.online_times_floor for run in runs):  # the place is better used by other columns
        at = header.index(_FLOOR)
        header.pop(at)
        rows = [(*row[:at], *row[at + 1 :]) for row in rows]
    words = {header.index(name) for name in _WORDS}
    drop = [each for each in _DROP if each in header]
    lines: list[str] = []
    for time_width, width in _FOLDS:
        folding = {header.index(name): width for name in _FOLDED} | {header.index(_FOLDED[0]): time_width}
        folded = [line for row in rows for line in _folded(row, folding)]
        table = render_table(header, folded, left=words, drop=drop, whole=words)
        if not lines or _wanted(table) > _wanted(lines):
            lines = table
        if _wanted(lines) == len(_WANTED):
            break
    return "\n".join([*lines, _count(len(runs), found)])


def _wanted(table: Sequence[str]) -> int:
    return len(_WANTED & set(table[0].split()))


def _alike(runs: Sequence[StoredRun]) -> set[str]:
    """Returns the names that several networks of the list have, which are other programs."""
    digests: dict[str, set[str]] = {}
    for run in runs:
        if run.facts.digest is not None:
            digests.setdefault(run.facts.network, set()).add(run.facts.digest)
    return {name for name, found in digests.items() if len(found) > 1}


def _network(facts: RunFacts, alike: Collection[str]) -> str:
    """Names the network, with its digest where others have its name, and the inputs of a batch."""
    words = facts.network
    if facts.network in alike and facts.digest is not None:
        words += f" {facts.digest[:_DIGEST_CHARACTERS]}"
    return f"{words} ({facts.input_count:,} inputs)" if (facts.input_count or 1) > 1 else words


def _folded(row: tuple[str, ...], folding: Mapping[int, int]) -> Iterator[tuple[str, ...]]:
    """Breaks a row into lines.

    Args:
        folding: the columns to break and their characters, so no value is cut.
    """
    cells = {at: textwrap.wrap(row[at], characters) for at, characters in folding.items()}
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

    Args:
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
    from pi_bench.report.stored import stored_result
    from pi_bench.report.terminal import render_result

    kind = kind_of(fields)
    try:
        if kind == "latency":
            return render_result(stored_result(fields, Result), labels=[], shown=shown)
        if kind == "comparison":
            return render_comparison(stored_result(fields, ComparisonResult))
        return render_accuracy(stored_result(fields, Accuracy), shown)
    except InputError as error:
        raise InputError(f"{error}; --json FILE writes its values") from None


def _seconds(value_s: float | None) -> str:
    return "-" if value_s is None else seconds(value_s)
