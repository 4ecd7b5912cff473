"""Wilson's interval for a fraction that was counted on a sample."""

from __future__ import annotations

import math

_Z = 1.959963984540054
"""Quantile of the normal distribution for an interval of 95 %."""


def wilson_interval_pct(hit_count: int, count: int) -> tuple[float, float]:
    """Computes Wilson's interval of 95 %, in percent, for a fraction of `hit_count` in `count`.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.

    >>> [round(bound) for bound in wilson_interval_pct(7, 8)]
    [53, 98]
    """
    fraction = hit_count / count
    shrink = 1 + _Z**2 / count
    middle = (fraction + _Z**2 / (2 * count)) / shrink
    half = _Z / shrink * math.sqrt(fraction * (1 - fraction) / count + _Z**2 / (4 * count**2))
    # The fraction itself is inside, whatever the rounding of fractions of 0 and 1.
    return 100 * max(0.0, min(fraction, middle - half)), 100 * min(1.0, max(fraction, middle + half))
