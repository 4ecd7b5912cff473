"""Estimates the time that the cells of a sweep still take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable

from pi_bench.sweep.cells import SweepCell


class TimeLeft:
    """Estimates from the cells that have been measured. The ones most like a cell tell how long it takes.

    Args:
        clock: returns seconds.

    >>> from pi_bench.sweep.cells import Network, cells_of
    >>> now = [0.0]
    >>> left = TimeLeft(lambda: now[0])
    >>> a, b, c, d = cells_of([Network("a", ""), Network("b", "")], ["fss"], [None], [1, 2])
    >>> left.estimate_s([a, b]) is None
    True
    >>> for cell in (a, b):
    ...     left.start(cell)
    ...     now[0] += 10.0 * cell.number
    ...     left.end(cell)
    >>> left.estimate_s([c, d])  # as long as those with as many threads
    30.0
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._took_s: dict[SweepCell, float] = {}
        self._started_s: float | None = None
        self._once_since_s: float | None = None
        self._once_s = 0.0

    def start(self, cell: SweepCell) -> None:
        """Notes that the measurement of a cell begins."""
        self._started_s, self._once_since_s, self._once_s = self._clock(), None, 0.0

    def once(self, running: bool) -> None:
        """Notes whether the cell does work now that later cells need not repeat, such as measuring costs.

        The time of such work counts for no estimate.

        >>> from pi_bench.sweep.cells import Network, cells_of
        >>> now = [0.0]
        >>> left = TimeLeft(lambda: now[0])
        >>> a, b = cells_of([Network("a", "")], ["fss"], [None], [1, 2])
        >>> left.start(a)
        >>> left.once(True)
        >>> now[0] = 30.0
        >>> left.once(False)
        >>> now[0] = 34.0
        >>> left.end(a)
        >>> left.estimate_s([b])
        4.0
        """
        if running and self._once_since_s is None:
            self._once_since_s = self._clock()
        elif not running and self._once_since_s is not None:
            self._once_s += self._clock() - self._once_since_s
            self._once_since_s = None

    def end(self, cell: SweepCell) -> None:
        """Notes that the measurement of a cell has ended."""
        self.once(False)
        if self._started_s is not None:
            self._took_s[cell] = self._clock() - self._started_s - self._once_s
        self._started_s = None

    def estimate_s(self, cells: Iterable[SweepCell]) -> float | None:
        """Estimates the seconds that `cells` take, less those for which the first one has run.

        Returns None while no cell has been measured.
        """
        if not self._took_s:
            return None
        passed_s = 0.0
        if self._started_s is not None:
            now_s = self._clock()
            once_s = self._once_s + (0.0 if self._once_since_s is None else now_s - self._once_since_s)
            passed_s = now_s - self._started_s - once_s
        return max(0.0, sum(map(self._cell_s, cells)) - passed_s)

    def _cell_s(self, cell: SweepCell) -> float:
        shared = {known: _shared(cell, known) for known in self._took_s}
        most = max(shared.values())
        return statistics.fmean(self._took_s[known] for known, count in shared.items() if count == most)


def _shared(one: SweepCell, other: SweepCell) -> int:
    """Counts the coordinates that two cells share. The network counts most, because networks differ most."""
    same = [one.protocol == other.protocol, one.link == other.link, one.threads == other.threads]
    return sum(same) + 2 * (one.network == other.network)
