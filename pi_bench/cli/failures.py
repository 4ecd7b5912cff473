"""Says failures on standard error: one line each, and one exit code for all of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from pi_bench.errors import PiBenchError, interruption_word


def say(message: str) -> None:
    """Prints an error as one line on standard error."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)


class Failures:
    """Collects the failures of a command's last steps, so that none hides another.

    >>> failures = Failures()
    >>> with failures.collected():
    ...     raise PiBenchError("the file was lost")
    >>> failures.exit_code  # after `report`, which prints the line, a command returns this
    1
    """

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def add(self, exit_code: int, message: str) -> None:
        self._found.append((exit_code, message))

    def add_interruption(self, exit_code: int, done: int, wanted: int, what: str) -> None:
        """Adds that Ctrl-C or SIGTERM ended the command after `done` of `wanted`."""
        words = f"{interruption_word(exit_code)} after {done:,} of {wanted:,} {what}"
        self.add(exit_code, f"{words}: the result holds the finished ones")

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Adds the `PiBenchError` that ends the context, and goes on after it."""
        try:
            yield
        except PiBenchError as error:
            self.add(error.exit_code, str(error))

    @property
    def exit_code(self) -> int:
        """The lowest code, which is the gravest: a failed verification before a lost file; 0 without any."""
        return min((code for code, _ in self._found), default=0)

    def report(self) -> int:
        """Says every failure, the gravest first; returns the exit code."""
        for _, message in sorted(self._found, key=lambda failure: failure[0]):
            say(message)
        return self.exit_code
