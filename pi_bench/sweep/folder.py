"""The folder of a sweep. Every file in it is written as a whole or not at all.

sweep.definition        the networks, the settings and the options: JSON
NUMBER-WORDS.json       the result of a cell, as `pi-bench latency --json` writes it
NUMBER-WORDS.error      the one-line error of a cell that failed and is not measured yet
results.csv             one row per cell
models/                 the model files of recipes
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from pi_bench.atomic_file import whole_file
from pi_bench.errors import InputError, OutputError, UsageError, reason
from pi_bench.report.documents.latency import Result
from pi_bench.report.result_table import COLUMNS, result_row
from pi_bench.report.table_formats import Table, TableColumn, csv_table
from pi_bench.report.table_formats.table import Row
from pi_bench.sweep.cells import Network, SweepCell
from pi_bench.sweep.definition import Sweep, difference

_DEFINITION = "sweep.definition"
_TABLE = "results.csv"
_NAME_CHARACTERS = 80
_MAX_RESULT_BYTES = 1 << 30


class SweepFolder:
    """The results of a sweep on disk, and a context in which no other call measures the same sweep.

    Attributes:
        rows: the values of each finished cell, by its number.

    Raises:
        UsageError: the folder holds another sweep or other files, or another call measures it now.
        OutputError: the folder cannot be written.
        InputError: a stored result cannot be read.

    >>> import tempfile
    >>> cell = SweepCell(1, Network("a", "0123"), "fss", None, 2)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     with SweepFolder(Path(name), Sweep((cell,), {"runs": 5})) as folder:
    ...         folder.keep_failure(cell, "no memory")
    ...     SweepFolder(Path(name), Sweep((cell,), {"runs": 3})).__enter__()
    Traceback (most recent call last):
    pi_bench.errors.UsageError: ... holds another sweep: its --runs is 5, and 3 is asked for; give ...
    """

    def __init__(self, path: Path, sweep: Sweep) -> None:
        self.path, self.sweep = path, sweep
        self.rows: dict[int, Row] = {}
        self._errors: dict[int, str] = {}
        self._lock = -1

    def __enter__(self) -> Self:
        with self._explained():
            self.path.mkdir(parents=True, exist_ok=True)
            renewed = self._require_definition()
            self._lock = os.open(self.path / _DEFINITION, os.O_RDONLY)
        try:
            self._require_alone()
            if renewed:
                self._renew_definition()
            self._read()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def is_finished(self, cell: SweepCell) -> bool:
        """Tells whether the folder has the result of a cell."""
        return cell.number in self.rows

    def keep(self, cell: SweepCell, result: Result) -> None:
        """Writes the result of a cell, which is then finished."""
        self._write(f"{cell.stem}.json", json.dumps(msgspec.to_builtins(result), indent=2, allow_nan=False))
        with self._explained():
            (self.path / f"{cell.stem}.error").unlink(missing_ok=True)
        self.rows[cell.number] = result_row(result)
        self._errors.pop(cell.number, None)
        self._write_table()

    def keep_failure(self, cell: SweepCell, error: str) -> None:
        """Writes the error of a cell, which stays unfinished."""
        self._write(f"{cell.stem}.error", error)
        self._errors[cell.number] = error
        self._write_table()

    def model_file(self, network: Network) -> Path:
        """Returns the model file of a network, which is exported once.

        Raises:
            PiBenchError: the export fails.
        """
        if network.file is not None:
            return network.file
        assert network.export is not None
        folder = self.path / "models"
        name = re.sub(r"[^A-Za-z0-9.-]", "-", network.name)[:_NAME_CHARACTERS]
        path = folder / f"{name}-{network.identity[:8]}.pt"  # so that no name stands for two networks
        if not path.exists():
            with self._explained():
                folder.mkdir(exist_ok=True)
            network.export(path)  # writes the whole file or none
        return path

    def finished_rows(self) -> list[Row]:
        """Returns the values of the finished cells, in the order of the sweep.

        Where several networks have one name in their files, they get those that they have in the sweep.
        """
        return [self._row(cell) for cell in self.sweep.cells if cell.number in self.rows]

    def named_rows(self) -> list[Row]:
        """Returns the values of the finished cells with `name`, the name of the network in the sweep."""
        cells = [cell for cell in self.sweep.cells if cell.number in self.rows]
        return [{**self.rows[cell.number], "name": cell.network.name} for cell in cells]

    def table(self) -> Table:
        """Returns one row per cell: the values of its result, or its error, or neither."""
        rows: list[Row] = []
        for cell in self.sweep.cells:
            file = f"{cell.stem}.json" if cell.number in self.rows else None
            rows.append(
                {**self._row(cell), "cell": cell.number, "file": file, "error": self._errors.get(cell.number)}
            )
        return Table("cells of a sweep", (_CELL, *COLUMNS, *_FILES), tuple(rows))

    def _row(self, cell: SweepCell) -> Row:
        """Returns the values of a finished cell, or the settings of another one."""
        if cell.number not in self.rows:
            names = ("network", "protocol", "link", "threads")
            values = (cell.network.name, cell.protocol, cell.link_name, cell.threads)
            return dict(zip(names, values, strict=True))
        row = self.rows[cell.number]
        alike = {
            each.network.name
            for each in self.sweep.cells
            if each.number in self.rows and self.rows[each.number]["network"] == row["network"]
        }
        return row if len(alike) == 1 else {**row, "network": cell.network.name}

    def _write_table(self) -> None:
        self._write(_TABLE, csv_table(self.table()))

    def _write(self, name: str, text: str) -> None:
        with self._explained(), whole_file(self.path / name) as file:
            file.write(f"{text.rstrip()}\n".encode())

    def _require_definition(self) -> bool:
        """Writes the definition into an empty folder, and refuses a folder with another one.

        Returns whether the definition must be written again, because networks without results have changed.
        """
        wanted = self.sweep.definition()
        path = self.path / _DEFINITION
        if not path.exists():
            if any(not entry.name.startswith(".") for entry in self.path.iterdir()):
                raise UsageError(f"{self.path} holds other files and no sweep; give a new or an empty folder")
            self._write(_DEFINITION, json.dumps(wanted, indent=2))
            return False
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if not isinstance(known, dict):
            raise UsageError(f"{path} is damaged; give another folder")
        changed = self._changed_networks(known, wanted)
        if changed and not any(
            self._has_result(cell) for cell in self.sweep.cells if cell.network.name in changed
        ):
            return True
        if words := difference(known, wanted):
            raise UsageError(
                f"{self.path} holds another sweep: {words}; give another folder, or repeat the command of "
                "this one"
            )
        return False

    def _renew_definition(self) -> None:
        """Writes the definition again, and locks the new file before it lets the old one go."""
        before = self._lock
        with self._explained():
            self._write(_DEFINITION, json.dumps(self.sweep.definition(), indent=2))
            self._lock = os.open(self.path / _DEFINITION, os.O_RDONLY)
        os.close(before)
        self._require_alone()

    def _changed_networks(self, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> set[str]:
        """Returns the names of the networks that have changed; empty if anything else differs."""
        of_networks = {f"network {cell.network.name}": cell.network.name for cell in self.sweep.cells}
        changed = {name for name in {*known, *wanted} if known.get(name) != wanted.get(name)}
        return {of_networks[name] for name in changed} if changed <= {*of_networks} & {*known} else set()

    def _has_result(self, cell: SweepCell) -> bool:
        return (self.path / f"{cell.stem}.json").exists()

    def _require_alone(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another command measures the sweep in {self.path} now; wait for it") from None

    def _read(self) -> None:
        for cell in self.sweep.cells:
            path = self.path / f"{cell.stem}.json"
            if self._has_result(cell):
                self.rows[cell.number] = result_row(_result(path))
            elif (failed := path.with_suffix(".error")).exists():
                with self._explained():
                    self._errors[cell.number] = failed.read_text(errors="replace").strip()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot use {self.path} as the folder of a sweep: {reason(error)}") from None


def unmeasured_cells(folder: Path) -> list[str]:
    """Returns a line for each cell of the sweep in `folder` that has no result, with the reason if it failed.

    A folder without a sweep, or without a finished or failed cell, has none.

    >>> unmeasured_cells(Path("/dev"))
    []
    """
    try:
        text = (folder / _TABLE).read_text(encoding="utf-8") if holds_sweep(folder) else ""
    except (OSError, UnicodeDecodeError):
        return []
    lines = []
    for row in csv.DictReader(text.splitlines()):
        if row.get("file"):
            continue
        settings = [row.get(name) or "?" for name in ("network", "protocol", "link", "threads")]
        words = f"{', '.join(settings)} {'thread' if settings[-1] == '1' else 'threads'}"
        lines.append(f"{words}: {row.get('error') or 'not measured yet'}")
    return lines


def holds_sweep(path: Path) -> bool:
    """Tells whether a folder is that of a sweep, which may have no finished cell yet.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     holds_sweep(Path(name))
    False
    """
    return (path / _DEFINITION).is_file()


_CELL = TableColumn("cell", "", "number of the cell")
_FILES = (
    TableColumn("file", "", "file of the whole result; empty if there is none yet"),
    TableColumn("error", "", "reason why the last measurement failed"),
)


def _result(path: Path) -> Result:
    try:
        if path.stat().st_size > _MAX_RESULT_BYTES:
            raise InputError(f"{path} is too large for a result; move it away to measure its cell again")
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from None
    except msgspec.DecodeError:
        raise InputError(
            f"{path} is damaged, or another version wrote it; move it away to measure its cell again"
        ) from None
