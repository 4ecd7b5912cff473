"""The type of the functions to which long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Receives the name of the work, the amount that is done, and the whole amount."""


def silent(what: str, done: int, total: int) -> None:
    """Ignores a progress report. It is the default where nobody wants reports.

    >>> silent("training", 1, 10)
    """
