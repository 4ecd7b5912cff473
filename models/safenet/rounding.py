"""One kind per channel from the weights that a relaxation has trained, so that a network meets a budget.

Each channel takes the kind with the largest logit - price * cost. A higher price makes the network cheaper.
The lowest price whose network meets the budget is taken. At the price 0, each channel has the kind that the
relaxation prefers. A kind that few channels of a layer have is left out of that layer, because its rounds and
operators would cost as much as for many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..mixture import KINDS


def kinds_at(
    logits: Mapping[str, np.ndarray],
    costs: Mapping[str, Sequence[float]],
    price: float,
    least_fraction: float,
) -> dict[str, np.ndarray]:
    """Returns the place in `KINDS` of the kind of each channel at a price, int64 (channels,) by path.

    Args:
        logits: the logits of the kinds, (kinds, channels), by the path of the layer.
        costs: the cost of one channel of each kind, by path.
        least_fraction: a kind that fewer channels of a layer have is left out of it.

    >>> logits = {"relu": np.array([[3.0, 1.0], [0.0, 0.0], [0.0, 0.5], [0.0, 0.0]])}
    >>> kinds_at(logits, {"relu": (16.0, 4.0, 4.0, 0.0)}, 0.1, 0.0)["relu"]
    array([0, 2])
    """
    found = {}
    for path, of_layer in logits.items():
        value = of_layer - price * np.asarray(costs[path])[:, None]
        kinds = value.argmax(axis=0)
        counts = np.bincount(kinds, minlength=len(KINDS))
        rare = counts < least_fraction * len(kinds)
        value[rare] = -np.inf
        found[path] = value.argmax(axis=0)
    return found


def rounded_kinds(
    logits: Mapping[str, np.ndarray],
    costs: Mapping[str, Sequence[float]],
    least_fraction: float,
    meets: Callable[[Mapping[str, np.ndarray]], bool],
) -> dict[str, np.ndarray] | None:
    """Returns the kinds at the lowest price whose network meets the budget, or None if none does.

    The cost is taken to fall with the price, so that a bisection finds it. If the network that it finds is
    beyond the budget, the next higher prices are tried one after another.

    Args:
        logits, costs, least_fraction: as for `kinds_at`.
        meets: whether a network of these kinds is within the budget.

    >>> logits = {"relu": np.array([[3.0, 1.0], [0.0, 0.0], [0.0, 0.5], [0.0, 0.0]])}
    >>> costs = {"relu": (16.0, 4.0, 4.0, 0.0)}
    >>> rounded_kinds(logits, costs, 0.0, lambda kinds: (kinds["relu"] == 0).sum() < 2)["relu"]
    array([0, 2])
    """
    prices = _prices(logits, costs)

    def within(index: int) -> bool:
        return meets(kinds_at(logits, costs, prices[index], least_fraction))

    low, high = -1, len(prices) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if within(middle) else (middle, high)
    for index in range(high, len(prices)):
        if within(index):
            return kinds_at(logits, costs, prices[index], least_fraction)
    return None


def _prices(logits: Mapping[str, np.ndarray], costs: Mapping[str, Sequence[float]]) -> list[float]:
    """Returns prices from 0 on, ascending: one before, between and after those at which kinds change."""
    changes: list[np.ndarray] = [np.zeros(1)]
    for path, of_layer in logits.items():
        for first in range(len(KINDS)):
            for second in range(first):
                saving = costs[path][first] - costs[path][second]
                if saving:
                    changes.append((of_layer[first] - of_layer[second]) / saving)
    every = np.concatenate(changes)
    found = np.unique(every[every >= 0])
    return [0.0, *((found[1:] + found[:-1]) / 2).tolist(), float(2 * found[-1] + 1)]
