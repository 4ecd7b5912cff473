"""The time that the epochs of a search took, over all its sittings, from the logs of its trainings."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from pi_bench.errors import OutputError, reason


@dataclass(frozen=True, slots=True)
class SearchTime:
    """The time of all epochs of a search, with those of networks that it did not choose.

    Attributes:
        epochs: the number of epochs, or of steps where a search trains in steps.
        clock_s: seconds of the clock. Trainings that ran side by side count one after another.
        cpu_s: seconds of all cores; None if an earlier version logged some of the epochs, which lack it.

    >>> str(SearchTime(epochs=9, clock_s=312.0, cpu_s=250.0))
    '9 epochs of all trainings: 5.2 minutes, 4.2 of CPU time'
    """

    epochs: int
    clock_s: float
    cpu_s: float | None

    def __str__(self) -> str:
        """Returns a line for the user."""
        cpu = "" if self.cpu_s is None else f", {self.cpu_s / 60:.1f} of CPU time"
        what = f"{self.epochs} epoch{'s' * (self.epochs != 1)}"
        return f"{what} of all trainings: {self.clock_s / 60:.1f} minutes{cpu}"


def search_time(root: Path) -> SearchTime:
    """Adds up the logs of all trainings in the folder of a search.

    Raises:
        OutputError: A log cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = Path(name, "log.csv").write_text("epoch,seconds,cpu_seconds\\n1,2.5,2.0\\n2,2.5,2.25\\n")
    ...     search_time(Path(name))
    SearchTime(epochs=2, clock_s=5.0, cpu_s=4.25)
    """
    epochs, clock_s, cpu_s, whole = 0, 0.0, 0.0, True
    for path in sorted(root.rglob("log.csv")):
        try:
            with open(path, newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            epochs += len(rows)
            clock_s += sum(float(row["seconds"]) for row in rows)
            whole = whole and all(row.get("cpu_seconds") for row in rows)
            cpu_s += sum(float(row.get("cpu_seconds") or 0) for row in rows)
        except OSError as error:
            raise OutputError(f"cannot read {path}: {reason(error)}") from None
        except (KeyError, TypeError, ValueError, csv.Error):
            raise OutputError(f"{path} is no log of a training: delete its folder to train again") from None
    return SearchTime(epochs, clock_s, cpu_s if whole else None)
