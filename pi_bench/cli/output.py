"""Files that a command writes, and its progress on a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pi_bench.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from pi_bench.protocol import ProtocolInfo

_BAR_WIDTH = 24


def writable(name: str | None) -> None:
    """Refuses a file that cannot be written, before a long run rather than after it.

    Raises: UsageError.
    """
    if name is None:
        return
    path = Path(name)
    if path.is_dir():
        raise UsageError(f"cannot write {name}: it is a folder")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {name}: there is no folder {path.absolute().parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise UsageError(f"cannot write {name}: permission denied")


def warn_of_protocol(info: ProtocolInfo) -> None:
    """On stderr: what runs protects nothing."""
    if not info.secure:
        print(f"warning: INSECURE protocol: {info.title}", file=sys.stderr)


def warn_of_instruction_set(isa: str) -> None:
    """On stderr: the kernels are plain code (`pi_bench.crypto.symmetric.require_isa`)."""
    if isa == "portable":
        print(
            "warning: SLOW portable kernels: a processor with AES instructions is some twenty times faster",
            file=sys.stderr,
        )


def write_array(path: Path, array: np.ndarray) -> None:
    """As ``.npy``, under exactly this name."""
    import numpy as np

    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


class Progress:
    """A bar on standard error, on a terminal only; gone when it ends."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._shown:
            filled = _BAR_WIDTH * done // max(1, total)
            bar = "#" * filled + "." * (_BAR_WIDTH - filled)
            print(f"\r\x1b[2K[{bar}] {done}/{total} {what}", end="", file=sys.stderr, flush=True)
