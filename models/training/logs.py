"""The log of a training: one line per epoch as CSV, and on request the same figures for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pi_bench.errors import EnvironmentUnsupportedError

from .training_files import write_whole
from .workers import rank

Rows = Sequence[Mapping[str, Any]]


class EpochLog:
    """The log in a training's folder: `log.csv`, and on request `tensorboard/`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     EpochLog(Path(name), []).add([{"epoch": 1, "train_loss": 0.5}])
    ...     print(Path(name, "log.csv").read_text(), end="")
    epoch,train_loss
    1,0.5
    """

    def __init__(self, folder: Path, rows: Rows, *, tensorboard: bool = False) -> None:
        """Opens the log, and writes the epochs that are finished.

        A training that was killed between its checkpoint and its log so has the last epoch in both.

        Args:
            folder: the training's folder.
            rows: the epochs that a resumed training has finished.
            tensorboard: whether to write the figures for TensorBoard as well.

        Raises:
            EnvironmentUnsupportedError: TensorBoard is not installed.
            OutputError: A file cannot be written.
        """
        self._path = folder / "log.csv"
        self._writer = None
        if tensorboard and rank() == 0:
            # Hides the figures of the last epoch, which are written again, and those of an interrupted one.
            self._writer = _summary_writer()(str(folder / "tensorboard"), purge_step=max(1, len(rows)))
        if rows:
            self.add(rows)

    def add(self, rows: Rows) -> None:
        """Writes `rows`, of which the last one is new.

        Raises:
            OutputError: A file cannot be written.
        """
        write_rows(self._path, rows)
        if self._writer is not None:
            for name, value in rows[-1].items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, global_step=len(rows))
            self._writer.flush()

    def close(self) -> None:
        """Closes TensorBoard's files."""
        if self._writer is not None:
            self._writer.close()


def write_rows(path: Path, rows: Rows) -> None:
    """Writes `rows` as CSV under a header of all keys. A cell whose row lacks the key is empty.

    Raises:
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_rows(Path(name, "log.csv"), [{"epoch": 1}, {"epoch": 2}])
    ...     Path(name, "log.csv").read_text()
    'epoch\\n1\\n2\\n'
    """
    text = io.StringIO()
    # The first rows of a training that an earlier version began may lack a key.
    keys = dict.fromkeys(key for row in rows for key in row)
    writer = csv.DictWriter(text, list(keys), lineterminator="\n")
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
