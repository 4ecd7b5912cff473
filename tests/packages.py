"""Packages with protocols of their own, as a test lays them on the path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOY = Path(__file__).parent / "fixtures" / "toy"
"""A folder with the package `toyproto` and its entry point: protocol `toy`."""


class Packages:
    """A folder on ``sys.path``, and on that of processes that are started."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", os.fspath(folder))

    def install(self, package: str, entry: str, source: str) -> None:
        """`entry`: a line of the group of protocols. `source`: of a module with the package's name."""
        (self._folder / f"{package}.py").write_text(source)
        info = self._folder / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pi_bench.protocols]\n{entry}\n")


@contextmanager
def toy_on_path() -> Iterator[None]:
    """Lets `toy` be found for a while; a protocol that was imported stays usable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOY)
        yield
