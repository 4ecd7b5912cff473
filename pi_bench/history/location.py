"""Finds the database of the user."""

from __future__ import annotations

import os
from pathlib import Path


def default_path() -> Path | None:
    """Returns the path of the user's history, or None if the user has no home.

    It is ``history.db`` in ``$XDG_DATA_HOME/pi-bench`` or else in ``~/.local/share/pi-bench``. The
    environment variable PI_BENCH_HISTORY names another file, and an empty value switches the history off.

    >>> path = default_path()
    >>> path is None or path.suffix == ".db" or "PI_BENCH_HISTORY" in os.environ
    True
    """
    named = os.environ.get("PI_BENCH_HISTORY")
    if named is not None:
        return Path(named) if named else None
    return own_path()


def own_path() -> Path | None:
    """Returns the path that no option and no variable names, or None if the user has no home.

    >>> path = own_path()
    >>> path is None or path.parts[-2:] == ("pi-bench", "history.db")
    True
    """
    home = os.environ.get("XDG_DATA_HOME")
    if not home:
        try:
            home = str(Path.home() / ".local" / "share")
        except RuntimeError:
            return None
    return Path(home) / "pi-bench" / "history.db"
