"""Samples the machine before and after a measurement, and tells what else went on meanwhile.

The kernel counts from its start, so the difference of two samples is that of the measurement. A system that
does not show a figure leaves it out.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pi_bench.metrics.processor_quota import Quota, read_quota

_PROC, _SYS = Path("/proc"), Path("/sys")
_SHORTEST_S = 0.3  # the kernel counts in hundredths of a second
_SPIN_S = 0.03  # an idle core raises its frequency within this time
_CORE = re.compile(r"cpu(\d+)")


@dataclass(frozen=True, slots=True)
class MachineUse:
    """The state of the machine during a measurement. A field is None if the system does not tell.

    Attributes:
        other_fraction, steal_fraction: the fractions of the time of the usable cores that other programs and
            the hypervisor took.
        swapped_pages: moved between memory and swap.
        heat_events: how often a processor slowed down because of heat.
        frequency_fraction: a busy core's frequency divided by its highest one.
        quota_cores: the number of cores whose time a control group grants.
        quota_wait_s: how long it stopped the processes.

    >>> MachineUse(other_fraction=0.2).swapped_pages
    0
    """

    other_fraction: float | None = None
    steal_fraction: float | None = None
    swapped_pages: int = 0
    heat_events: int = 0
    frequency_fraction: float | None = None
    quota_cores: float | None = None
    quota_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sample:
    busy_s: float = 0.0
    steal_s: float = 0.0
    total_s: float = 0.0
    own_s: float = 0.0
    swapped_pages: int = 0
    heat_events: int = 0
    frequency_fraction: float | None = None
    quota: Quota = field(default_factory=Quota)


class MachineWatch:
    """Watches the machine, and is a context: `use` tells afterwards what went on within it.

    Args:
        proc, sys: the folders that the kernel shows.
        cores: those that count; None for the cores that this process may use.
        own_s: returns the processor time of this process and of its children that have ended.

    >>> with MachineWatch() as watch:
    ...     pass
    >>> watch.use.other_fraction is None  # nothing can be said about so short a time
    True
    """

    def __init__(
        self,
        proc: Path = _PROC,
        sys: Path = _SYS,
        cores: Iterable[int] | None = None,
        own_s: Callable[[], float] | None = None,
    ) -> None:
        self._proc, self._sys = proc, sys
        self._cores = frozenset(os.sched_getaffinity(0) if cores is None else cores)
        self._own_s = _own_s if own_s is None else own_s
        self._before = _Sample()
        self.use = MachineUse()

    def __enter__(self) -> Self:
        self._before = self._sample()
        return self

    def __exit__(self, *_: object) -> None:
        before, after = self._before, self._sample()
        total_s = after.total_s - before.total_s
        told = total_s >= _SHORTEST_S * len(self._cores) and total_s > 0
        others_s = after.busy_s - before.busy_s - (after.own_s - before.own_s)
        frequencies = [s.frequency_fraction for s in (before, after) if s.frequency_fraction is not None]
        self.use = MachineUse(
            other_fraction=max(0.0, others_s / total_s) if told else None,
            steal_fraction=(after.steal_s - before.steal_s) / total_s if told else None,
            swapped_pages=after.swapped_pages - before.swapped_pages,
            heat_events=after.heat_events - before.heat_events,
            frequency_fraction=min(frequencies, default=None),
            quota_cores=after.quota.cores,
            quota_wait_s=after.quota.wait_s - before.quota.wait_s,
        )

    def _sample(self) -> _Sample:
        frequency_fraction = self._frequency_fraction()  # it computes for a moment, so it comes first
        busy_s, steal_s, total_s = self._processor_times_s()
        return _Sample(
            busy_s,
            steal_s,
            total_s,
            self._own_s(),
            self._swapped_pages(),
            self._heat_events(),
            frequency_fraction,
            read_quota(self._proc, self._sys),
        )

    def _processor_times_s(self) -> tuple[float, float, float]:
        """Sums the seconds of the cores: those of programs, those stolen, and all.

        Times of interrupts are left out of those of programs: the sockets of the parties cause them too.
        """
        tick_s = 1 / os.sysconf("SC_CLK_TCK")
        busy = steal = total = 0
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (self._proc / "stat").read_text().splitlines():
                name, *rest = line.split()
                core = _CORE.fullmatch(name)
                if core is None or int(core[1]) not in self._cores:
                    continue
                user, nice, system, idle, waiting, hard, soft, stolen = map(int, rest[:8])
                busy += user + nice + system
                steal += stolen
                total += user + nice + system + idle + waiting + hard + soft + stolen
        return busy * tick_s, steal * tick_s, total * tick_s

    def _swapped_pages(self) -> int:
        pages = 0
        with contextlib.suppress(OSError, ValueError):
            for line in (self._proc / "vmstat").read_text().splitlines():
                name, _, count = line.partition(" ")
                if name in ("pswpin", "pswpout"):
                    pages += int(count)
        return pages

    def _heat_events(self) -> int:
        return sum(
            number
            for folder in self._core_folders()
            for name in ("core_throttle_count", "package_throttle_count")
            if (number := _number(folder / "thermal_throttle" / name)) is not None
        )

    def _frequency_fraction(self) -> float | None:
        """Returns the fastest core's fraction of the highest frequency, while this process computes."""
        folders = [folder / "cpufreq" for folder in self._core_folders() if (folder / "cpufreq").is_dir()]
        if not folders:
            return None
        until = time.perf_counter() + _SPIN_S
        while time.perf_counter() < until:
            pass
        now, highest = (
            [number for folder in folders if (number := _number(folder / name)) is not None]
            for name in ("scaling_cur_freq", "cpuinfo_max_freq")
        )
        return max(now) / max(highest) if now and highest and max(highest) > 0 else None

    def _core_folders(self) -> list[Path]:
        return [self._sys / "devices/system/cpu" / f"cpu{core}" for core in sorted(self._cores)]


def _own_s() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
