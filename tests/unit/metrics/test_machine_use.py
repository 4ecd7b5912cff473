"""Other work during a measurement, read from folders like those that the kernel shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from pi_bench.metrics.machine_use import MachineUse, MachineWatch

IDLE = {"user": 0, "system": 0, "idle": 1000, "steal": 0}
TICKS_PER_S = 100


@pytest.fixture(autouse=True)
def hundredths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: TICKS_PER_S)


class Kernel:
    """The folders, whose counts a test moves while it measures."""

    def __init__(self, root: Path) -> None:
        self.proc, self.sys, self.own_s = root / "proc", root / "sys", 0.0
        self.write_stat({0: IDLE, 1: IDLE, 2: IDLE})
        self.write("proc/vmstat", "pgfault 5\npswpin 7\npswpout 9\n")

    def write(self, name: str, text: str) -> None:
        path = self.proc.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write_stat(self, cores: dict[int, dict[str, int]]) -> None:
        lines = ["cpu  9 9 9 9 9 9 9 9 0 0"]
        for core, ticks in cores.items():
            lines.append(
                f"cpu{core} {ticks['user']} 0 {ticks['system']} {ticks['idle']} 0 0 0 {ticks['steal']} 0 0"
            )
        self.write("proc/stat", "\n".join([*lines, "intr 1 2"]))

    def watch(self) -> MachineWatch:
        return MachineWatch(self.proc, self.sys, cores=(0, 1), own_s=lambda: self.own_s)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_our_own_work_is_no_load(kernel: Kernel) -> None:
    """Two busy cores that are ours, and a third one that we may not use."""
    with kernel.watch() as watch:
        busy = {**IDLE, "user": 700, "system": 300}
        kernel.write_stat({0: busy, 1: busy, 2: {**busy, "user": 9000}})
        kernel.own_s = 20.0
    assert watch.use == MachineUse(other_fraction=0.0, steal_fraction=0.0)


def test_other_programs_and_the_hypervisor_have_shares(kernel: Kernel) -> None:
    with kernel.watch() as watch:
        kernel.write_stat({0: {**IDLE, "user": 600, "steal": 400}, 1: {**IDLE, "idle": 2000}, 2: IDLE})
        kernel.own_s = 1.0
    assert watch.use.other_fraction == pytest.approx((6.0 - 1.0) / 20.0)
    assert watch.use.steal_fraction == pytest.approx(4.0 / 20.0)


def test_a_moment_tells_nothing(kernel: Kernel) -> None:
    with kernel.watch() as watch:
        kernel.write_stat({0: {**IDLE, "user": 10}, 1: {**IDLE, "idle": 1010}, 2: IDLE})
    assert watch.use.other_fraction is None


def test_swapping_is_counted_in_both_directions(kernel: Kernel) -> None:
    with kernel.watch() as watch:
        kernel.write("proc/vmstat", "pswpin 107\npswpout 1009\n")
    assert watch.use.swapped_pages == 1100


def test_heat_and_the_lowest_frequency_are_found(kernel: Kernel) -> None:
    cores = "sys/devices/system/cpu/"
    for core in (0, 1):
        kernel.write(f"{cores}cpu{core}/cpufreq/scaling_cur_freq", "3000000\n")
        kernel.write(f"{cores}cpu{core}/cpufreq/cpuinfo_max_freq", "4000000\n")
        kernel.write(f"{cores}cpu{core}/thermal_throttle/core_throttle_count", "5\n")
    with kernel.watch() as watch:
        kernel.write(f"{cores}cpu1/thermal_throttle/core_throttle_count", "8\n")
        for core, frequency in ((0, 800_000), (1, 2_000_000)):  # one of them idles
            kernel.write(f"{cores}cpu{core}/cpufreq/scaling_cur_freq", str(frequency))
    assert watch.use.heat_events == 3
    assert watch.use.frequency_fraction == 0.5


@pytest.mark.parametrize(
    ("groups", "folder", "files"),
    [
        (
            "0::/box/inner\n",
            "box",
            {"cpu.max": "150000 100000", "cpu.stat": "usage_usec 1\nthrottled_usec 0"},
        ),
        (
            "3:cpu,cpuacct:/box\n2:memory:/other\n",
            "cpu,cpuacct/box",
            {"cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000", "cpu.stat": "throttled_time 0"},
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_the_quota_of_a_container_counts(
    kernel: Kernel, groups: str, folder: str, files: dict[str, str]
) -> None:
    """It may be that of a group further up."""
    kernel.write("proc/self/cgroup", groups)
    for name, text in files.items():
        kernel.write(f"sys/fs/cgroup/{folder}/{name}", text)
    with kernel.watch() as watch:
        stopped = files["cpu.stat"].removesuffix("0") + (
            "250000" if "usec" in files["cpu.stat"] else "250000000"
        )
        kernel.write(f"sys/fs/cgroup/{folder}/cpu.stat", stopped)
    assert watch.use.quota_cores == 1.5
    assert watch.use.quota_wait_s == pytest.approx(0.25)


def test_a_system_without_these_folders_tells_nothing(tmp_path: Path) -> None:
    with MachineWatch(tmp_path / "none", tmp_path / "none", cores=(0,), own_s=lambda: 0.0) as watch:
        pass
    assert watch.use == MachineUse()
