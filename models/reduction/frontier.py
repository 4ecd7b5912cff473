"""The Pareto frontier of a search: the networks that no other network beats in cost and accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence


def on_frontier(costs: Sequence[float | None], accuracies: Sequence[float | None]) -> list[bool]:
    """Returns for each network whether no other one is better.

    A better network has no higher cost and no lower accuracy, and differs in one of them. Equal networks are
    therefore on the frontier together or not at all. A network without cost or accuracy is not on the
    frontier and beats none.

    Raises:
        ValueError: The lists have different lengths, or a number is NaN.

    >>> on_frontier([1.0, 2.0, 3.0, None], [50.0, 70.0, 60.0, 90.0])
    [True, True, False, False]
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
