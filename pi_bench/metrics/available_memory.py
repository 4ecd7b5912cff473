"""Reads the memory that this process can still take: of the machine, its control groups, its own limits."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pi_bench.metrics.control_groups import control_group_folders

_PROC, _SYS = Path("/proc"), Path("/sys")
LIMITS = MappingProxyType({resource.RLIMIT_AS: "VmSize:", resource.RLIMIT_DATA: "VmData:"})
"""Limits of a process as `getrlimit` names them, with the line of ``status`` that counts against each."""

_GROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, usage, and the part of it that the kernel gives back: of version 2 and of version 1."""


def available_memory_bytes(
    proc: Path = _PROC, sys: Path = _SYS, limits: Mapping[int, int] | None = None
) -> int:
    """Returns the memory that this process can still take without swapping and within every limit.

    Of a control group that is its limit without the usage, where pages of files that were not used lately
    count as free. A machine that does not show the folder ``proc`` is asked for its free pages.

    Args:
        proc, sys: the folders that the kernel shows.
        limits: bytes by a key of `LIMITS`; None for the soft limits of this process.

    >>> available_memory_bytes() > 0
    True
    >>> available_memory_bytes(limits={resource.RLIMIT_AS: 0})
    0
    """
    if limits is None:
        limits = {kind: resource.getrlimit(kind)[0] for kind in LIMITS}
    found = [_machine_bytes(proc)]
    for folder in control_group_folders(proc, sys, "memory"):
        found += _group_bytes(folder)
    for kind, most in limits.items():
        if most != resource.RLIM_INFINITY:
            found.append(most - (_kilobytes(proc / "self" / "status", LIMITS[kind]) or 0))
    return max(0, min(found))


def _machine_bytes(proc: Path) -> int:
    available = _kilobytes(proc / "meminfo", "MemAvailable:")
    if available is None:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return available


def _kilobytes(path: Path, name: str) -> int | None:
    """Returns the bytes of a line such as ``VmSize: 12 kB``, or None if there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return None


def _group_bytes(folder: Path) -> Iterator[int]:
    for limit, usage, unused in _GROUP_FILES:
        with contextlib.suppress(OSError, ValueError):  # ValueError: the limit is "max"
            used = int((folder / usage).read_text())
            yield int((folder / limit).read_text()) - used + _reclaimable(folder / "memory.stat", unused)


def _reclaimable(path: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0
