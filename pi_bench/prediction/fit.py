"""Fits the seconds per unit to timed pieces of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pi_bench.costs import CostUnits

_SWEEPS = 3_000
_TOLERANCE = 1e-10


def fit_units(
    timed: Sequence[tuple[CostUnits, float]], known: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Finds the seconds per unit, none negative, that minimize the squared *relative* errors of `timed`.

    Args:
        timed: works and the seconds that each took.
        known: units whose seconds are taken as they are.

    Raises:
        ValueError: nothing was timed, or a work took no time.

    >>> timed = [(CostUnits({"word": 1000.0}), 1e-6), (CostUnits({"word": 10.0, "call": 1.0}), 5.1e-7)]
    >>> {unit: round(seconds, 10) for unit, seconds in fit_units(timed).items()}
    {'word': 1e-09, 'call': 5e-07}
    """
    known = known or {}
    names = list(dict.fromkeys(name for work, _ in timed for name in work.units if name not in known))
    if not timed or any(seconds <= 0 for _, seconds in timed):
        raise ValueError("costs need works that took time")
    rows = np.array([[work.units.get(name, 0.0) / seconds for name in names] for work, seconds in timed])
    rest = np.array(
        [
            1 - sum(work.units[name] * known[name] for name in work.units if name in known) / s
            for work, s in timed
        ]
    )
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1.0
    found = _nonnegative(rows / scale, rest) / scale
    return dict(zip(names, map(float, found), strict=True))


def _nonnegative(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Finds the x >= 0 that minimizes |matrix x - target|, by coordinate descent on columns of norm 1."""
    gram, projected = matrix.T @ matrix, matrix.T @ target
    x = np.zeros(len(projected))
    for _ in range(_SWEEPS):
        moved = 0.0
        for i in range(len(x)):
            step = max(-x[i], (projected[i] - gram[i] @ x) / max(gram[i, i], _TOLERANCE))
            x[i] += step
            moved = max(moved, abs(step))
        if moved < _TOLERANCE * max(1.0, float(np.max(x, initial=0.0))):
            break
    return x
