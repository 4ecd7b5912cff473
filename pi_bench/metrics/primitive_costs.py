"""Measures the costs of primitives by their own timed cases, in this process.

Each case is timed several times and the fastest run is kept, so that background load does not distort it.
Cases are short for the same reason. The seconds per unit are then fitted to all cases of a primitive
(`pi_bench.prediction.fit`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pi_bench.metrics.timing import sample
from pi_bench.prediction.fit import fit_units
from pi_bench.primitives import CaseSettings, Primitive
from pi_bench.progress import Progress, silent

COST_STEP = "measuring the cost of "
"""The beginning of each step that is reported while costs are measured. Later commands need not repeat it."""
_COUNT = 1 << 14
_REPETITIONS = 9


def primitive_costs(
    primitives: Iterable[Primitive],
    threads: int,
    progress: Progress = silent,
) -> dict[str, float]:
    """Measures the seconds of every unit that the timed cases of `primitives` show.

    A primitive may count units of an earlier one in its cases. Their seconds are then known.

    >>> from pi_bench.primitives.memory import MEMORY
    >>> sorted(primitive_costs([MEMORY], threads=1))
    ['random word', 'word']
    """
    primitives = tuple(primitives)
    found: dict[str, float] = {}
    for done, primitive in enumerate(primitives):
        progress(f"{COST_STEP}{primitive.name}", done, len(primitives))
        settings = CaseSettings(_COUNT, (threads,), _REPETITIONS)
        timed = [
            (one.work, min(sample(one.case.call, _REPETITIONS))) for one in primitive.timed_cases(settings)
        ]
        if timed:
            found |= fit_units(timed, found)
    return found
