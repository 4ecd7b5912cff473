"""Summarizes a handful of samples by median and quartiles."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles


def summarize(samples: Sequence[float]) -> dict[str, float | list[float]]:
    """Returns median, q1, q3, min, max and the samples as JSON values.

    Quartiles are interpolated linearly, with both ends included.

    >>> summary = summarize([1.0, 2.0, 3.0, 4.0])
    >>> summary["median"], summary["q1"], summary["max"]
    (2.5, 1.75, 4.0)
    """
    if len(samples) == 1:
        q1 = q3 = samples[0]
    else:
        q1, _, q3 = quantiles(samples, n=4, method="inclusive")
    return {
        "median": median(samples),
        "q1": q1,
        "q3": q3,
        "min": min(samples),
        "max": max(samples),
        "samples": list(samples),
    }
