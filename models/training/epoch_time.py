"""The time that an epoch takes: of the clock, and of the processor cores."""

from __future__ import annotations

import time


class EpochTime:
    """The time from the creation on, for a line of `log.csv`.

    >>> sorted(EpochTime().spent())
    ['cpu_seconds', 'seconds']
    """

    def __init__(self) -> None:
        self._clock, self._cpu = time.monotonic(), time.process_time()

    def spent(self) -> dict[str, float]:
        """Returns the seconds of the clock, and those of all cores together, of this process alone."""
        return {
            "seconds": round(time.monotonic() - self._clock, 3),
            "cpu_seconds": round(time.process_time() - self._cpu, 3),
        }
