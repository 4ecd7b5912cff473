"""The folder in which pi-bench keeps what it can make again, such as measured costs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Returns ``$XDG_CACHE_HOME/pi-bench`` or else ``~/.cache/pi-bench``, or None if the user has no home.

    >>> folder = cache_folder()
    >>> folder is None or folder.name == "pi-bench"
    True
    """
    home = os.environ.get("XDG_CACHE_HOME")
    if not home:
        try:
            home = str(Path.home() / ".cache")
        except RuntimeError:
            return None
    return Path(home) / "pi-bench"
