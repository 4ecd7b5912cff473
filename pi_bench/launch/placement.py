"""Threads and cores of the two parties on one machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

_POLL_S = 1e-3  # longer than most waits within an inference
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Placement:
    """`cores` empty: the party is not pinned."""

    threads: int
    client_cores: tuple[int, ...]
    server_cores: tuple[int, ...]

    @property
    def pinned(self) -> bool:
        return bool(self.client_cores)

    @property
    def poll_s(self) -> float:
        """How long a party that waits for the other one may ask before it sleeps: only where its core
        is its own."""
        return _POLL_S if self.pinned else 0.0


def place(threads: int | None) -> Placement:
    """Half of the usable cores for each party, and as many threads, unless `threads` says otherwise.

    The parties are pinned apart where each can have a core a thread: then neither computes with what
    would be the other's machine, and runs repeat better.
    """
    cores = sorted(os.sched_getaffinity(0))
    count = threads if threads is not None else max(1, len(cores) // 2)
    if len(cores) < 2 * count or len(cores) < 2:
        return Placement(count, (), ())
    half = len(cores) // 2
    return Placement(count, tuple(cores[:half]), tuple(cores[half:]))


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that numpy's libraries read once, when they are loaded."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def pin(cores: tuple[int, ...]) -> None:
    """Keeps this process, and every thread that it starts, on `cores`; no cores: leaves it alone."""
    if cores:
        os.sched_setaffinity(0, cores)
