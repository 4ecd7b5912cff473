"""The type of the functions that hear how far a long piece of work has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of the work, the amount that is done, and the whole amount."""


def silent(what: str, done: int, total: int) -> None:
    """Ignore a progress report: the default where nobody listens.

    >>> silent("training", 1, 10)
    """
