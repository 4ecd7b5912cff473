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
    """Output stream that keeps a command running when its text cannot be written.

    Attributes:
        lost: the first error, or None. The exit code of the command depends on it.

    >>> with open("/dev/full", "w") as file:
    ...     stream = Stream(file)
    ...     _ = stream.write("a result")
    ...     stream.flush()
    >>> stream.failed.strerror
    'No space left on device'
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes text. An error is kept in `lost` and not raised."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flushes the stream. An error is kept in `lost` and not raised."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    @property
    def failed(self) -> OSError | None:
        """The error `lost`, or None if the reader left, as in `pi-bench … | head`: it had enough."""
        gone = self.lost is not None and self.lost.errno == errno.EPIPE
        return None if gone else self.lost

    def _give_up(self, error: OSError) -> None:
        """Sends the text that the stream still holds nowhere, so that the interpreter's last flush is
        silent.
        """
        self.lost = self.lost or error
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def lasting_streams() -> Iterator[Stream]:
    """Replaces `sys.stdout` and `sys.stderr` by a `Stream` each, and yields the one for standard output.

    >>> with lasting_streams() as out:
    ...     print("a result")
    a result
    >>> out.failed is None
    True
    """
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
    """Opens closed standard streams, so that no file or socket takes their numbers and gets the text."""
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
