"""Files that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """What is written becomes the file at `path` when the context ends; until then the old one stays.

    A device or a pipe, and a file whose folder takes no second one, are written to directly. A link keeps
    pointing where it does.

    Raises: OSError: the old file is as it was, and nothing lies beside it.
    """
    target = path.resolve()  # of /dev/stderr at a pipe no path that exists: `path` is asked what it is
    mode = path.stat().st_mode if path.exists() else None
    if mode is not None and not (stat.S_ISREG(mode) and os.access(target.parent, os.W_OK)):
        with path.open("wb") as file:
            yield file
        return
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")  # short: the target's name may be long
    try:
        with partial.open("xb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
