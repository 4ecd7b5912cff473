"""Which networks of a search are worth having: none costs less and is as accurate, none is more accurate
and costs as much (the Pareto frontier)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def on_frontier(costs: Sequence[float | None], accuracies: Sequence[float | None]) -> list[bool]:
    """For each network, whether no other one is better.

    Better: of no higher cost and no lower accuracy, and not equal in both; so equal networks stand or
    fall together. A network whose cost or accuracy is not known is not on the frontier and beats none.

    Raises:
        ValueError: lists of different length, or a NaN.
    """
    known = []
    for index, (cost, accuracy) in enumerate(zip(costs, accuracies, strict=True)):
        if cost is not None and accuracy is not None:
            if math.isnan(cost) or math.isnan(accuracy):
                raise ValueError(f"network {index} has cost {cost} and accuracy {accuracy}")
            known.append((cost, -accuracy, index))
    found = [False] * len(costs)
    best = (math.inf, math.inf)  # cost and negated accuracy of the frontier's last network
    for cost, loss, index in sorted(known):
        if loss < best[1] or (cost, loss) == best:
            best = (cost, loss)
            found[index] = True
    return found
