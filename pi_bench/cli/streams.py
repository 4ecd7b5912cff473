"""Standard output and error that may be closed, full, a pipe without a reader, or not UTF-8."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Stream:
    """Keeps a command going when what it says cannot be written; `lost` is why, for its exit code."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    @property
    def failed(self) -> OSError | None:
        """None too where the reader has gone, as in `pi-bench … | head`: it has what it wanted."""
        gone = self.lost is not None and self.lost.errno == errno.EPIPE
        return None if gone else self.lost

    def _give_up(self, error: OSError) -> None:
        """What the stream still holds goes nowhere, so that the interpreter's last flush is silent."""
        self.lost = self.lost or error
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def lasting_streams() -> Iterator[Stream]:
    """Puts them in the place of `sys.stdout` and `sys.stderr`; yields the one for standard output."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    out, err = (Stream(_encodable(stream)) for stream in before)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def _open_closed_descriptors() -> None:
    """A file or socket that took the number of a closed stream would get what is printed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _encodable(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(OSError):
            stream.reconfigure(errors="backslashreplace")
    return stream
