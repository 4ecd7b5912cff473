"""Reads the part of the processor that a control group grants this process, as containers have it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from pi_bench.metrics.control_groups import control_group_folders


@dataclass(frozen=True, slots=True)
class Quota:
    """The quota of a control group.

    Attributes:
        cores: how many cores' time it grants, None without a limit.
        wait_s: for how long it has stopped its processes so far, because they had used their time up.

    >>> Quota().cores is None
    True
    """

    cores: float | None = None
    wait_s: float = 0.0


def read_quota(proc: Path, sys: Path) -> Quota:
    """Reads the smallest quota of this process's control group and those above it, of both versions.

    Args:
        proc, sys: the folders that the kernel shows.

    >>> read_quota(Path("no-such-folder"), Path("no-such-folder"))
    Quota(cores=None, wait_s=0.0)
    """
    cores: float | None = None
    wait_s = 0.0
    for folder in control_group_folders(proc, sys, "cpu"):
        for found in (_cores_v2(folder), _cores_v1(folder)):
            if found is not None:
                cores = found if cores is None else min(cores, found)
        wait_s = max(wait_s, _wait_s(folder))
    return Quota(cores, wait_s)


def _cores_v2(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    return None


def _cores_v1(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else None
    return None


def _wait_s(folder: Path) -> float:
    with contextlib.suppress(OSError, ValueError):
        for line in (folder / "cpu.stat").read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "throttled_usec":
                return int(number) * 1e-6
            if name == "throttled_time":
                return int(number) * 1e-9
    return 0.0
