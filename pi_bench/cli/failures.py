"""Prints failures on standard error, one line for each, and finds one exit code for all of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from pi_bench.errors import PiBenchError, interruption_word


def say(message: str) -> None:
    r"""Prints an error as one line on standard error.

    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     say("cannot read\n the file")
    error: cannot read the file
    """
    print(f"error: {' '.join(message.split())}", file=sys.stderr)


class Failures:
    """Failures of the last steps of a command. They are collected, so that none hides another.

    >>> failures = Failures()
    >>> with failures.collected():
    ...     raise PiBenchError("the file was lost")
    >>> failures.exit_code  # `report` prints the line and returns this code
    1
    """

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def add(self, exit_code: int, message: str) -> None:
        """Adds a failure: the exit code that belongs to it, and its message."""
        self._found.append((exit_code, message))

    def add_interruption(self, exit_code: int, done: int, wanted: int | None, what: str) -> None:
        """Adds that Ctrl-C or SIGTERM ended the command after `done` of `wanted` things, such as ``runs``.

        Args:
            wanted: None where nothing says how many there would have been.
        """
        of = "" if wanted is None else f" of {wanted:,}"
        words = f"{interruption_word(exit_code)} after {done:,}{of} {what}"
        self.add(exit_code, f"{words}: the result holds the finished ones")

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Adds the `PiBenchError` that ends the context, and continues after the context."""
        try:
            yield
        except PiBenchError as error:
            self.add(error.exit_code, str(error))

    @property
    def exit_code(self) -> int:
        """The lowest code, which is the gravest, or 0 without failures.

        A failed verification counts more than a lost file.
        """
        return min((code for code, _ in self._found), default=0)

    def report(self) -> int:
        """Prints every failure, the gravest first, and returns the exit code."""
        for _, message in sorted(self._found, key=lambda failure: failure[0]):
            say(message)
        return self.exit_code
