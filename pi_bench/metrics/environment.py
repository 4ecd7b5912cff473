"""Describes the machine and the software that the figures depend on."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import pi_bench

_PACKAGES = ("numpy", "cffi", "cryptography", "pynacl", "torch")


def describe_environment() -> dict[str, Any]:
    """Describes the machine and the software as JSON values. Nothing in them names a user, a host or a path.

    >>> sorted(describe_environment()["versions"])[:2]
    ['cffi', 'cryptography']
    """
    return {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.release()}",
        "cpu_model": _cpu_model(),
        "core_count": os.cpu_count() or 1,
        "usable_core_count": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "instruction_set": _instruction_set(),
        "versions": {"pi-bench": pi_bench.__version__, "python": platform.python_version()} | _versions(),
        "commit": commit_of_checkout(),
    }


def describe_machine() -> dict[str, str]:
    """Describes the things that the kernels' speed depends on: processor, cores and instruction set.

    >>> sorted(describe_machine())
    ['cpu_model', 'instruction_set', 'usable_core_count']
    """
    return {
        "cpu_model": _cpu_model(),
        "usable_core_count": str(len(os.sched_getaffinity(0))),
        "instruction_set": _instruction_set(),
    }


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _instruction_set() -> str:
    from pi_bench.crypto.symmetric import require_isa

    return require_isa()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def commit_of_checkout() -> str | None:
    """Returns the commit of the checkout, with ``-dirty`` if files differ; None for an installed package.

    >>> commit_of_checkout() == describe_environment()["commit"]
    True
    """
    root = Path(pi_bench.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return described.stdout.strip()
    return None
