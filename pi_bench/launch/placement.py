"""Places the two parties on the threads and cores of one machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pi_bench.defaults import POLL_S


@dataclass(frozen=True, slots=True)
class Placement:
    """Threads and cores of both parties. Empty cores: the party is not pinned.

    >>> Placement(threads=1, client_cores=(0,), server_cores=(1,)).pinned
    True
    """

    threads: int
    client_cores: tuple[int, ...]
    server_cores: tuple[int, ...]

    @property
    def pinned(self) -> bool:
        """Whether each party has cores of its own."""
        return bool(self.client_cores)

    @property
    def poll_s(self) -> float:
        """Seconds for which a party that waits for the other one polls before it sleeps.

        It polls only where its core is its own.
        """
        return POLL_S if self.pinned else 0.0


def place(threads: int | None) -> Placement:
    """Places half of the usable cores at each party, and as many threads unless `threads` says otherwise.

    The parties are pinned apart if there is one core per thread for each. Then neither computes on the
    other's cores, and runs repeat better.

    >>> place(threads=1).threads
    1
    """
    cores = sorted(os.sched_getaffinity(0))
    count = threads if threads is not None else max(1, len(cores) // 2)
    if len(cores) < 2 * count or len(cores) < 2:
        return Placement(count, (), ())
    half = len(cores) // 2
    return Placement(count, tuple(cores[:half]), tuple(cores[half:]))


def pin(cores: tuple[int, ...]) -> None:
    """Keeps this process and every thread that it starts on `cores`. Without cores, changes nothing.

    >>> pin(())
    """
    if cores:
        os.sched_setaffinity(0, cores)
