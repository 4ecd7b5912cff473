"""Files that a command writes, and its progress on a terminal."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pi_bench.atomic_file import whole_file
from pi_bench.errors import OutputError, reason

if TYPE_CHECKING:
    import numpy as np

    from pi_bench.protocol import ProtocolInfo

_BAR_WIDTH = 24
_PACE_AFTER_S = 3.0


STDOUT = "-"
"""Names standard output in place of a file."""


def add_json(parser: argparse._ActionsContainer, schema: str | None = None) -> None:
    """Adds ``--json FILE``, which means the same in every command."""
    described = "" if schema is None else f"; `pi-bench schema {schema}` describes it"
    parser.add_argument(
        "--json",
        metavar="FILE",
        help=f"write the result to FILE as JSON; - prints it in place of the text{described}",
    )


def deliver(words: str, json_name: str | None, fields: Any) -> None:
    """Writes a result to the file of `--json`, then prints it: as words, or as JSON if the file is "-".

    What was measured is printed even where the file cannot be written.

    Raises:
        OutputError: the file cannot be written; an older one is still whole.
    """
    try:
        if json_name not in (None, STDOUT):
            write_json(Path(str(json_name)), fields)
    finally:
        print(json_text(fields) if json_name == STDOUT else words)


def json_text(fields: Any) -> str:
    """Formats JSON values as every command writes and prints them; NaN and infinity are a ValueError."""
    return json.dumps(fields, indent=2, allow_nan=False)


def writable(name: str | None) -> None:
    """Refuses a file that cannot be written, before a long run rather than after it.

    Raises: OutputError.
    """
    if name is None or name == STDOUT:
        return
    path = Path(name)
    if path.is_dir():
        raise OutputError(f"cannot write {name}: it is a folder")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"cannot write {name}: there is no folder {path.absolute().parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise OutputError(f"cannot write {name}: permission denied")


def writable_folder(path: Path) -> None:
    """Makes the folder if it is not there. Raises: OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot use {path} as the output folder: {reason(error)}") from None


def warn_of_protocol(info: ProtocolInfo) -> None:
    """On stderr: what runs protects nothing."""
    if not info.secure:
        print(f"warning: INSECURE protocol: {info.title}", file=sys.stderr)


def warn_of_instruction_set(isa: str) -> None:
    """On stderr: the kernels are plain code (`pi_bench.crypto.symmetric.require_isa`)."""
    if isa == "portable":
        print(
            "warning: SLOW portable kernels: a processor with AES instructions is some twenty times faster",
            file=sys.stderr,
        )


def write_array(path: Path, array: np.ndarray) -> None:
    """As ``.npy``, under exactly this name. Raises: OutputError: the disk is full, for instance."""
    import numpy as np

    content = io.BytesIO()  # numpy, writing to a file itself, does not say why it cannot
    np.save(content, array, allow_pickle=False)
    with _writing(path), whole_file(path) as file:
        file.write(content.getbuffer())


def write_json(path: Path, fields: Mapping[str, Any]) -> None:
    """Raises: OutputError: the disk is full, for instance."""
    with _writing(path), whole_file(path) as file:
        file.write(f"{json_text(fields)}\n".encode())


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from None


class Progress:
    """A bar on standard error where that is a terminal, gone when it ends; elsewhere nothing, or lines."""

    def __init__(self, *, lines: bool = False, silent: bool = False) -> None:
        """
        Args:
            lines: print a line for each new thing that is done where standard error is no terminal.
            silent: show nothing anywhere.
        """
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bar = terminal and not silent
        self._lines = lines and not terminal and not silent
        self._what = ""
        self._begun: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Makes room for a line of text; the next call draws the bar again."""
        if self._bar:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._lines and what != self._what:
            print(what, file=sys.stderr, flush=True)
        if self._bar:
            filled = _BAR_WIDTH * done // max(1, total)
            bar = "#" * filled + "." * (_BAR_WIDTH - filled)
            line = f"[{bar}] {done}/{total} {what}{self._left(done, total)}"
            # A line that wraps could not be taken back.
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[2K{line[:width]}", end="", file=sys.stderr, flush=True)
        self._what = what

    def _left(self, done: int, total: int) -> str:
        """The time that is left at the pace so far; nothing until there is one."""
        now = time.monotonic()
        if self._begun is None or done < self._begun[1]:
            self._begun = now, done
        begun, first = self._begun
        if done - first < 2 or now - begun < _PACE_AFTER_S:
            return ""
        seconds = round((now - begun) / (done - first) * (total - done))
        hours, minutes = seconds // 3600, seconds // 60 % 60
        return f", {f'{hours}:{minutes:02}' if hours else minutes}:{seconds % 60:02} left"
