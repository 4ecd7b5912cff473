"""Writes files as a whole or not at all."""

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
    """Opens a file that replaces the one at `path` when the context ends without an error.

    Until then the old file stays. A symbolic link stays, and its target is replaced. A device, a pipe and a
    file in a folder that cannot be written are written directly.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "result.txt")
    ...     with whole_file(path) as file:
    ...         _ = file.write(b"whole")
    ...     try:
    ...         with whole_file(path) as file:
    ...             _ = file.write(b"half")
    ...             raise KeyboardInterrupt
    ...     except KeyboardInterrupt:
    ...         path.read_bytes()
    b'whole'

    Raises:
        OSError: the file cannot be written. The old file is unchanged, and no partial file is left.
    """
    target = path.resolve()  # not a path that exists for /dev/stderr at a pipe, so stat `path` itself
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
