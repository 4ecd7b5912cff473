"""Measures the memory and the processor time of this process by phase."""

from __future__ import annotations

import resource
import time
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets the high-water mark of resident memory


class PeakMemoryMeter:
    """Peak resident memory since the last `reset`.

    `by_phase` is False if the system cannot reset the peak. The peak is then that of the whole life of the
    process so far.

    >>> memory = PeakMemoryMeter()
    >>> memory.read_bytes() > 1_000_000
    True
    """

    def __init__(self) -> None:
        self.by_phase = True
        self.reset()

    def reset(self) -> None:
        """Starts a new phase."""
        try:
            _CLEAR.write_text(_RESET_PEAK)
        except OSError:
            self.by_phase = False

    def read_bytes(self) -> int:
        """Returns the peak of this phase in bytes."""
        if self.by_phase:
            try:
                for line in _STATUS.read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        return int(line.split()[1]) * 1024
            except OSError:
                self.by_phase = False
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def cpu_time_s() -> float:
    """Returns the processor time of all threads of this process, user and system.

    >>> before = cpu_time_s()
    >>> cpu_time_s() >= before
    True
    """
    return time.process_time()
