"""Measures the cells of a sweep, one after the other. A cell that fails does not end the sweep."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pi_bench.errors import PiBenchError, interruption_code
from pi_bench.report.documents.latency import Result
from pi_bench.sweep.cells import SweepCell
from pi_bench.sweep.folder import SweepFolder


@dataclass
class Outcome:
    """Tells how a sweep ended.

    Attributes:
        failures: the one-line errors of the cells that failed in this call.
        interruption: the exit code of an interruption, or None.

    >>> Outcome().interruption is None
    True
    """

    failures: dict[SweepCell, str] = field(default_factory=dict)
    interruption: int | None = None


def run_sweep(
    folder: SweepFolder,
    cells: Sequence[SweepCell],
    measure: Callable[[SweepCell], Result],
    ended: Callable[[SweepCell, Result | str], None],
) -> Outcome:
    """Measures every cell that is not finished in `folder`, and keeps each result there at once.

    Args:
        measure: measures one cell.
        ended: called after each cell, with its result or the one-line error with which it failed.

    Raises:
        OutputError: a result cannot be written. The finished cells stay.

    ```python
    def failures(folder: SweepFolder, measure: Callable[[SweepCell], Result]) -> list[str]:
        cells = folder.sweep.cells
        return list(run_sweep(folder, cells, measure, lambda cell, result: None).failures.values())
    ```
    """
    outcome = Outcome()
    try:
        for cell in cells:
            if folder.is_finished(cell):
                continue
            found = _measured(cell, measure)
            if isinstance(found, str):
                outcome.failures[cell] = found
                folder.keep_failure(cell, found)
            else:
                folder.keep(cell, found)
            ended(cell, found)
    except KeyboardInterrupt as interruption:
        outcome.interruption = interruption_code(interruption)
    return outcome


def _measured(cell: SweepCell, measure: Callable[[SweepCell], Result]) -> Result | str:
    """Returns the result of a cell, or the one-line error with which it failed."""
    try:
        result = measure(cell)
    except PiBenchError as error:
        return " ".join(str(error).split())
    except Exception as error:  # an internal error of one cell does not lose the others either
        if os.environ.get("PI_BENCH_TRACEBACK"):
            raise
        return " ".join(f"internal: {type(error).__name__}: {error}".split())
    if result.verified is False:
        assert result.verification is not None
        return f"verification failed: {result.verification.failures[0]}"
    return result
