"""Issues warnings at the line of the program that called the package, however deep the call is inside."""

from __future__ import annotations

import sys
import warnings

_INNER = ("pi_bench", "contextlib")  # modules whose frames lie between a caller and a warning


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Issues a warning at the line outside `pi_bench` that led to it.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_caller("the network is calibrated on one input")
    >>> str(caught[0].message)
    'the network is calibrated on one input'
    """
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INNER:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
