"""The log of a training: a line an epoch as CSV, and the same figures for TensorBoard where wanted."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pi_bench.errors import EnvironmentUnsupportedError

from .files import write_whole
from .workers import worker

Rows = Sequence[Mapping[str, Any]]


class EpochLog:
    """`log.csv` in `folder`, and `tensorboard/` where it is asked for."""

    def __init__(self, folder: Path, rows: Rows, *, tensorboard: bool = False) -> None:
        """
        Args:
            rows: of the epochs that a resumed training has behind it.

        Raises:
            EnvironmentUnsupportedError: TensorBoard is not installed.
        """
        self._path = folder / "log.csv"
        self._writer = None
        if tensorboard and worker() == 0:
            # What an interrupted epoch left behind in TensorBoard's files is hidden.
            self._writer = _summary_writer()(str(folder / "tensorboard"), purge_step=len(rows) + 1)

    def add(self, rows: Rows) -> None:
        """The last of `rows` is new. Raises: OutputError."""
        write_rows(self._path, rows)
        if self._writer is not None:
            for name, value in rows[-1].items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, global_step=len(rows))
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def write_rows(path: Path, rows: Rows) -> None:
    """As CSV, the first row's keys above. Raises: OutputError."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise EnvironmentUnsupportedError(
            'TensorBoard is not installed: pip install "pi-bench[tensorboard]", or leave out --tensorboard'
        ) from None
    return SummaryWriter
