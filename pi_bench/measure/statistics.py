"""Medians and quartiles of a handful of samples."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles


def summarize(samples: Sequence[float]) -> dict[str, float | list[float]]:
    """median, q1, q3 (linear interpolation, both ends included), min, max and the samples."""
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
