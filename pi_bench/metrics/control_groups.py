"""Finds the folders in which the kernel shows the control groups of this process, as containers have them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def control_group_folders(proc: Path, sys: Path, controller: str) -> Iterator[Path]:
    """Yields the folders of this process's control groups and those above them, of both versions.

    A container may see its own group as the root.

    Args:
        proc, sys: the folders that the kernel shows.
        controller: the name of a controller of version 1, such as ``cpu``.

    >>> list(control_group_folders(Path("no-such-folder"), Path("no-such-folder"), "cpu"))
    []
    """
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = sys / "fs" / "cgroup" / controllers
        group = PurePosixPath(path.lstrip("/"))
        for part in (group, *group.parents):
            yield root / part
