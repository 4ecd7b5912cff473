"""pareto.csv: one row per network of a search, for spreadsheets and `pi-bench reduce frontier`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pi_bench.errors import ModelError, reason

from ..training.training_files import write_whole
from .candidate import Candidate

TABLE_FILE = "pareto.csv"


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text == "" else read(text)


_COLUMNS: Mapping[str, Callable[[str], Any]] = {
    "name": str,
    "method": str,
    "step": str,
    "relu_count": int,
    "test_accuracy_pct": _optional(float),
    "validation_accuracy_pct": _optional(float),
    "accuracy_per_kilorelu": _optional(float),
    "latency_s": _optional(float),
    "latency_q1_s": _optional(float),
    "latency_q3_s": _optional(float),
    "online_bytes": _optional(int),
    "offline_s": _optional(float),
    "measured_for": str,
    "cautions": lambda text: tuple(text.split()),
    "predicted_s": _optional(float),
    "predicted_for": str,
    "budget_s": _optional(float),
    "relu_frontier": {"yes": True, "no": False}.__getitem__,
    "latency_frontier": {"yes": True, "no": False}.__getitem__,
    "predicted_frontier": {"yes": True, "no": False}.__getitem__,
    "failure": str,
    "folder": str,
}
_DERIVED = "accuracy_per_kilorelu"
_ADDED = (
    "predicted_s",
    "predicted_for",
    "predicted_frontier",
    "budget_s",
    "measured_for",
    "cautions",
)  # missing in tables of earlier versions


def write_table(path: Path, candidates: Sequence[Candidate]) -> None:
    """Writes the candidates to the table at `path`.

    Raises:
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_table(Path(name, "pareto.csv"), [Candidate("a", "snl", "pixel-9", 9, latency_s=0.25)])
    ...     read_table(Path(name, "pareto.csv"), Path(name))[0].latency_s
    0.25
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_written(getattr(one, name)) for name in _COLUMNS] for one in candidates)
    write_whole(path, text.getvalue().encode())


def read_table(path: Path, seen_from: Path) -> list[Candidate]:
    """Returns the networks of a table, with their folders relative to the folder `seen_from`.

    Raises:
        ModelError: The file cannot be read, or is not such a table.

    >>> try:
    ...     read_table(Path("nowhere/pareto.csv"), Path())
    ... except ModelError as error:
    ...     print(str(error).partition(":")[0])
    cannot read nowhere/pareto.csv
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or ()
            missing = [name for name in _COLUMNS if name not in header and name not in _ADDED]
            if missing:
                raise ModelError(f"{path} is no table of `pi-bench reduce`: it has no column {missing[0]}")
            rows = list(reader)
        found = [
            Candidate(
                **{
                    name: read(row[name])
                    for name, read in _COLUMNS.items()
                    if name in header and name != _DERIVED
                }
            )
            for row in rows
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot read {path}: {reason(error)}") from None
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise ModelError(f"{path} is no table of `pi-bench reduce`: {reason(error)}") from None
    return [replace(one, folder=os.path.relpath(path.parent / one.folder, seen_from)) for one in found]


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
