"""The defaults that a data set has for the settings of trainings and searches."""

from __future__ import annotations

from typing import Any


def defaults_for(data: str, part: str) -> dict[str, Any]:
    """Returns the settings of a part, such as "training", that differ for a data set; {} for an unknown one.

    The data sets are imported when they are asked for, because they need numpy, which `pi-bench --help` does
    without.

    >>> defaults_for("cifar10", "training")
    {'epochs': 150, 'schedule': 'cosine'}
    """
    from .data.data_sets import SOURCES

    return dict(getattr(SOURCES[data], part)) if data in SOURCES else {}
