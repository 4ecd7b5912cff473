"""The memory that a process can still take, read from folders like those that the kernel shows."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from pi_bench.metrics.available_memory import available_memory_bytes

MB = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "proc/meminfo", f"MemTotal: 9000000 kB\nMemAvailable:   {800 * 1024} kB\n")
    write(tmp_path, "proc/self/status", f"Name: x\nVmSize:   {100 * 1024} kB\nVmData:  {30 * 1024} kB\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def available(root: Path, limits: dict[int, int] | None = None) -> int:
    return available_memory_bytes(root / "proc", root / "sys", limits or {})


def test_without_limits_it_is_that_of_the_machine(root: Path) -> None:
    assert available(root) == 800 * MB


@pytest.mark.parametrize(
    ("groups", "folder", "files"),
    [
        (
            "0::/box/inner\n",
            "box",
            {"max": "memory.max", "used": "memory.current", "stat": "inactive_file"},
        ),
        (
            "3:cpu:/other\n2:memory:/box\n",
            "memory/box",
            {"max": "memory.limit_in_bytes", "used": "memory.usage_in_bytes", "stat": "total_inactive_file"},
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_a_container_leaves_its_limit_without_the_usage_that_it_cannot_give_back(
    root: Path, groups: str, folder: str, files: dict[str, str]
) -> None:
    """The limit may be that of a group further up."""
    write(root, "proc/self/cgroup", groups)
    write(root, f"sys/fs/cgroup/{folder}/{files['max']}", f"{500 * MB}\n")
    write(root, f"sys/fs/cgroup/{folder}/{files['used']}", f"{300 * MB}\n")
    assert available(root) == 200 * MB
    write(root, f"sys/fs/cgroup/{folder}/memory.stat", f"anon 5\n{files['stat']} {50 * MB}\n")
    assert available(root) == 250 * MB


def test_a_group_without_a_limit_changes_nothing(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/box\n")
    write(root, "sys/fs/cgroup/box/memory.max", "max\n")
    write(root, "sys/fs/cgroup/box/memory.current", f"{700 * MB}\n")
    assert available(root) == 800 * MB


@pytest.mark.parametrize(("limit", "used_mb"), [(resource.RLIMIT_AS, 100), (resource.RLIMIT_DATA, 30)])
def test_a_limit_of_the_process_counts_without_what_the_process_has(
    root: Path, limit: int, used_mb: int
) -> None:
    assert available(root, {limit: 400 * MB}) == (400 - used_mb) * MB
    assert available(root, {limit: resource.RLIM_INFINITY}) == 800 * MB


def test_a_process_above_its_limit_has_nothing_left(root: Path) -> None:
    assert available(root, {resource.RLIMIT_AS: 50 * MB}) == 0


def test_a_system_that_shows_no_folders_tells_its_free_pages(tmp_path: Path) -> None:
    assert available(tmp_path / "none") > 0
