"""Times a call: warm-up first, then samples that are long enough for the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

_SAMPLE_S = 2e-3
_MAX_CALLS = 10_000


def sample(call: Callable[[], object], repetitions: int) -> list[float]:
    """`repetitions` samples of the seconds that one call takes.

    The first call, which meets cold caches and untouched pages, is not counted. A call too short for
    the clock is repeated within a sample.
    """
    call()
    started = time.perf_counter()
    call()
    once_s = time.perf_counter() - started
    calls = min(_MAX_CALLS, max(1, round(_SAMPLE_S / max(once_s, 1e-7))))
    samples = []
    for _ in range(repetitions):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        samples.append((time.perf_counter() - started) / calls)
    return samples
