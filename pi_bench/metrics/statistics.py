"""Summarizes samples: median, quartiles, spread, the interval of the median, outliers, percentiles.

Every formula is that of numpy. A percentile has a floor: fewer samples than it needs would show the
largest sample under another name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

CONFIDENCE = 0.95
PERCENTILE_FLOORS = {90.0: 64, 99.0: 662}
"""Samples that a percentile needs by MLPerf's rule for early stopping (issue 417 of mlcommons/endpoints)."""

_MIN_FOR_INTERVAL = 6  # fewer samples lie on one side of the true median in more than 5 % of all cases
_RESAMPLES = 9999
_FENCE = 1.5  # Tukey: interquartile ranges beyond the quartiles


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary of samples. All values have the unit of the samples.

    Attributes:
        mad: median absolute deviation from the median, not scaled.
        interval: bootstrap interval of the median with a confidence of 95 %; None with fewer than 6 samples.
        outliers: the samples further than 1.5 interquartile ranges beyond the quartiles. They count in every
            other figure.
        percentiles: by percent, those that the number of samples allows (`PERCENTILE_FLOORS`).

    >>> summarize([1.0, 2.0, 3.0, 4.0]).median
    2.5
    """

    median: float
    q1: float
    q3: float
    min: float
    max: float
    mad: float
    interval: tuple[float, float] | None
    outliers: tuple[float, ...]
    samples: tuple[float, ...]
    percentiles: dict[float, float] = field(default_factory=dict)


def summarize(samples: Sequence[float]) -> Summary:
    """Summarizes at least one sample. Quartiles are interpolated linearly, with both ends included.

    >>> summary = summarize([1.0, 2.0, 3.0, 4.0, 100.0])
    >>> summary.q1, summary.mad, summary.outliers, summary.interval
    (2.0, 1.0, (100.0,), None)
    """
    values = np.asarray(samples, dtype=np.float64)
    q1, median, q3 = (float(value) for value in np.percentile(values, [25, 50, 75]))
    reach = _FENCE * (q3 - q1)
    return Summary(
        median=median,
        q1=q1,
        q3=q3,
        min=float(values.min()),
        max=float(values.max()),
        mad=float(np.median(np.abs(values - median))),
        interval=median_interval(values),
        outliers=tuple(float(value) for value in values if not q1 - reach <= value <= q3 + reach),
        samples=tuple(float(value) for value in values),
        percentiles={
            percent: float(np.percentile(values, percent))
            for percent, floor in PERCENTILE_FLOORS.items()
            if len(values) >= floor
        },
    )


def median_interval(samples: Sequence[float] | np.ndarray) -> tuple[float, float] | None:
    """Returns the bootstrap interval of the median with a confidence of 95 %; None with fewer than 6 samples.

    The resampling is seeded, so the same samples give the same interval.

    >>> low, high = median_interval([4.0, 5.0, 6.0, 5.5, 4.5, 5.0, 5.2])
    >>> 4.0 <= low <= 5.0 <= high <= 6.0
    True
    >>> median_interval([1.0, 2.0]) is None
    True
    """
    values = np.asarray(samples, dtype=np.float64)
    if len(values) < _MIN_FOR_INTERVAL:
        return None
    if values.min() == values.max():
        return float(values[0]), float(values[0])
    return bootstrap_interval([values], lambda drawn: np.median(drawn, axis=-1), CONFIDENCE)


def bootstrap_interval(
    samples: Sequence[np.ndarray], statistic: Callable[..., np.ndarray], confidence: float
) -> tuple[float, float]:
    """Returns the bootstrap interval of a statistic by percentiles (Efron 1979), from seeded resamples.

    ``scipy.stats.bootstrap`` gives the same interval, but its import takes longer than a short command.

    Args:
        samples: float64 (n,) each. Every one of them is resampled on its own.
        statistic: takes one array of resamples per sample, (resamples, n), and returns (resamples,).
        confidence: between 0 and 1.

    >>> mean = lambda drawn: drawn.mean(axis=-1)
    >>> low, high = bootstrap_interval([np.arange(9.0)], mean, 0.95)
    >>> 0.0 < low < 4.0 < high < 8.0
    True
    """
    generator = np.random.default_rng(0)
    drawn = [sample[generator.integers(0, len(sample), (_RESAMPLES, len(sample)))] for sample in samples]
    tail = (1 - confidence) / 2
    low, high = np.percentile(statistic(*drawn), [100 * tail, 100 * (1 - tail)])
    return float(low), float(high)


def relative_width(samples: Sequence[float]) -> float | None:
    """Returns half the width of the median's interval divided by the median; None with too few samples.

    It is the number after the plus-minus sign of the median, and `--precision` bounds it.

    >>> relative_width([1.0] * 6)
    0.0
    """
    interval = median_interval(samples)
    if interval is None:
        return None
    return (interval[1] - interval[0]) / 2 / float(np.median(samples))


def missing_percentiles(sample_count: int) -> str:
    """Says which percentiles are left out, and how many samples they need; "" if none is.

    >>> missing_percentiles(100)
    'p99 needs 662 runs'
    """
    missing = [
        f"p{percent:g} needs {floor} runs"
        for percent, floor in PERCENTILE_FLOORS.items()
        if sample_count < floor
    ]
    return ", ".join(missing)
