"""Measures the cells of a sweep or of a paper's table, and prints the table of their results."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pi_bench.cli import arguments, history_option, latency
from pi_bench.cli.failures import Failures
from pi_bench.cli.output import print_text
from pi_bench.cli.progress import Progress, clock_text
from pi_bench.errors import EXIT_CELLS, EXIT_TERMINATED, InputError, Terminated, interruption_word, reason
from pi_bench.launch import placement
from pi_bench.metrics.primitive_costs import COST_STEP
from pi_bench.registry import default_protocol
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import counted, seconds
from pi_bench.report.table_formats import Table, write_table
from pi_bench.sweep import Network, Sweep, SweepCell, SweepFolder, TimeLeft, cells_of, run_sweep

_DEFINED_BY_CELLS = ("network", "protocol", "link", "threads", "table", "trained", "published", "list")


def measure_cells(
    parsed: argparse.Namespace,
    networks: Sequence[Network],
    path: Path,
    table_of: Callable[[SweepFolder], Table],
) -> int:
    """Measures the cells that have no result in the folder `path`, and prints a table. Returns the exit code.

    Args:
        table_of: makes the table of the finished cells.

    Raises:
        PiBenchError: an option cannot be used, or the folder holds another sweep or cannot be written.

    ```python
    from pi_bench.cli.network_choice import networks_of
    from pi_bench.report.result_table import result_table

    def measure(parsed: argparse.Namespace) -> int:  # the arguments of `pi-bench sweep`
        def table(folder: SweepFolder) -> Table:
            return result_table(folder.finished_rows(), "my networks")

        return measure_cells(parsed, networks_of(parsed.network), Path(parsed.output), table)
    ```
    """
    history_option.require_history(parsed)
    cells = cells_of(
        networks,
        parsed.protocol or (default_protocol().name,),
        list(dict.fromkeys(parsed.link or [None])),
        list(dict.fromkeys(parsed.threads or [placement.place(None).threads])),
    )
    failures = Failures()
    folder = SweepFolder(path, Sweep(tuple(cells), _options(parsed)))
    watched = _Watched(parsed, folder)
    watched.require_options()
    with folder:
        watched.started()
        with watched.progress:
            outcome = run_sweep(folder, cells, watched.measure, watched.ended)
        table = table_of(folder)
        done = len(folder.rows)
    with failures.collected():
        text = write_table(table, parsed.format)
        print_text(text) if parsed.format == "text" else print(text.removesuffix("\n"))
    for cell, error in outcome.failures.items():
        failures.add(EXIT_CELLS, f"{cell.words}: {error}")
    if outcome.failures and outcome.interruption is None:
        count = len(outcome.failures)
        them = "it" if count == 1 else "them"
        failures.add(EXIT_CELLS, f"{counted(count, 'cell')} failed; the same command tries {them} again")
    if outcome.interruption is not None:
        failures.add(
            outcome.interruption,
            f"{interruption_word(outcome.interruption)} after {done} of {counted(len(cells), 'cell')}, "
            f"which {path} keeps; the same command continues",
        )
    return failures.report()


class _Watched:
    """Measures cells, and shows how far the sweep is."""

    def __init__(self, parsed: argparse.Namespace, folder: SweepFolder) -> None:
        self._parsed, self._folder = parsed, folder
        self._time_left = TimeLeft()
        self.progress = Progress(left_s=lambda: self._time_left.estimate_s(self._rest(self._current)))
        self._current = 0
        self._failed = 0
        self._announced = 0
        self._warned: set[str] = set()

    def require_options(self) -> None:
        """Refuses options that a cell cannot have, before the first cell is measured."""
        with self._new_warnings():
            for cell in self._folder.sweep.cells:
                latency.task_of(_arguments(self._parsed, cell, ""))

    def started(self) -> None:
        """Prints how many cells there are, and how many of them an earlier call has measured."""
        done, count = len(self._folder.rows), len(self._folder.sweep.cells)
        known = f"; {done} {'has a result' if done == 1 else 'have results'} already" if done else ""
        print(f"{counted(count, 'cell')}{known}", file=sys.stderr, flush=True)

    def measure(self, cell: SweepCell) -> Result:
        """Measures one cell as `pi-bench latency` does. An interrupted measurement is none."""
        from pi_bench.tasks import prepared

        self._current = cell.number
        report = partial(self._report, cell)
        report("exporting" if cell.network.file is None else "starting", 0, 1)
        given = _arguments(self._parsed, cell, str(self._folder.model_file(cell.network)))
        self._time_left.start(cell)
        with self._new_warnings():
            task = latency.task_of(given)
        whole = prepared(task, report)
        measurement = whole.measure(report)
        if measurement.interruption is None:
            result = whole.result(measurement, report)
        if measurement.interruption is not None:  # of the runs, or of a prediction after them
            raise Terminated if measurement.interruption == EXIT_TERMINATED else KeyboardInterrupt
        history_option.keep(self._parsed, result)
        return result

    def ended(self, cell: SweepCell, found: Result | str) -> None:
        """Prints a line about a cell that has been measured, or that failed."""
        self._time_left.end(cell)
        self.progress.clear()
        if isinstance(found, str):
            self._failed += 1
            words = f"FAILED: {found}"
        else:
            online, offline = found.online.latency_s.median, found.offline.time_s
            words = f"online {seconds(online)}, offline {seconds(offline)}"
        rest = self._rest(cell.number + 1)
        left_s = self._time_left.estimate_s(rest)
        left = f"; about {clock_text(left_s)} left" if rest and left_s is not None else ""
        print(f"{self._place(cell)} {cell.words}: {words}{left}", file=sys.stderr, flush=True)

    def _place(self, cell: SweepCell) -> str:
        return f"[{cell.number}/{len(self._folder.sweep.cells)}]"

    def _rest(self, first: int) -> list[SweepCell]:
        """Returns the cells from number `first` on that have no result."""
        cells = self._folder.sweep.cells
        return [cell for cell in cells if cell.number >= first and not self._folder.is_finished(cell)]

    def _report(self, cell: SweepCell, what: str, done: int, total: int) -> None:
        self._time_left.once(what.startswith(COST_STEP))
        if what.startswith(COST_STEP) and self._announced != cell.number:
            self._announced = cell.number
            if not self.progress.is_bar:
                words = f"measures the costs of {cell.protocol} on this machine, once for all cells"
                print(f"{self._place(cell)} {cell.words}: {words}", file=sys.stderr, flush=True)
        ended = len(self._folder.rows) + self._failed
        self.progress(f"{cell.words}: {what}", ended, len(self._folder.sweep.cells))

    @contextlib.contextmanager
    def _new_warnings(self) -> Any:
        """Prints each line of standard error once, however many cells cause it."""
        lines = io.StringIO()
        try:
            with contextlib.redirect_stderr(lines):
                yield
        finally:
            for line in lines.getvalue().splitlines():
                if line not in self._warned:
                    self._warned.add(line)
                    self.progress.clear()
                    print(line, file=sys.stderr)


def _arguments(parsed: argparse.Namespace, cell: SweepCell, model: str) -> argparse.Namespace:
    """Returns the arguments of `pi-bench latency` for a cell and its model file."""
    defaults = latency.latency_defaults()
    fields = vars(parsed).items()
    given = {name: value for name, value in fields if name in defaults or name.startswith("protocol_")}
    settings = {"protocol": cell.protocol, "link": cell.link, "threads": cell.threads}
    return argparse.Namespace(**{**defaults, **given, **settings, "model": model, "output": None})


def _options(parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns the options that all cells share, for the definition of the sweep."""
    fields = arguments.as_fields(parsed)
    found = {name: value for name, value in fields.items() if name not in _DEFINED_BY_CELLS}
    if parsed.input is not None:
        try:
            digest = hashlib.sha256(Path(parsed.input).read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"cannot read {parsed.input}: {reason(error)}") from None
        found["input"] = [found["input"], digest]
    return found
