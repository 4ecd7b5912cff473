"""Times a call after a warm-up, in samples that are long enough for the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

_SAMPLE_S = 2e-3
_MAX_CALLS = 10_000


def sample(call: Callable[[], object], repetitions: int) -> list[float]:
    """Takes `repetitions` samples of the seconds that one call takes.

    The first call meets cold caches and untouched pages and is not counted. A call that is too short for the
    clock is repeated within a sample.

    >>> samples = sample(lambda: sum(range(100)), repetitions=3)
    >>> len(samples), all(seconds > 0 for seconds in samples)
    (3, True)
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
