"""The choice of binary masks that meet a budget of ReLUs exactly.

Algorithm 1 ends at the first epoch with at most B ReLUs, usually with fewer than B. Here the masks are those
of the last epoch above the budget, and the B largest of them are kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Masks = Mapping[str, np.ndarray]


def count_above(masks: Masks, relus_each: Mapping[str, int], threshold: float) -> int:
    """Returns the number of ReLUs whose mask is above the threshold.

    Args:
        masks: the masks by the path of their layer, of any shape.
        relus_each: by the same path, the number of ReLUs per number of the mask.

    >>> count_above({"a": np.array([0.5, 0.0]), "b": np.array([0.9])}, {"a": 1, "b": 16}, 0.01)
    17
    """
    return sum(int(np.count_nonzero(mask > threshold)) * relus_each[site] for site, mask in masks.items())


def largest(
    masks: Masks, relus_each: Mapping[str, int], budget: int, threshold: float
) -> dict[str, np.ndarray]:
    """Returns bool masks that keep the largest values, as many as the budget allows.

    With one ReLU per value, exactly `budget` values are kept. With channels, each channel is taken in the
    order of its mask if it still fits. Among equal values, those of earlier layers and elements come first.
    Values at or below the threshold are kept only if the others are too few.

    >>> largest({"a": np.array([0.5, 0.1]), "b": np.array([0.9])}, {"a": 1, "b": 1}, 2, 0.01)
    {'a': array([ True, False]), 'b': array([ True])}
    """
    values = np.concatenate([np.ravel(mask) for mask in masks.values()])
    costs = np.concatenate([np.full(mask.size, relus_each[site]) for site, mask in masks.items()])
    order = np.argsort(-values, kind="stable")
    above = order[: np.count_nonzero(values > threshold)]
    if costs[above].sum() >= budget:
        order = above
    kept = np.zeros(len(values), bool)
    if (costs == 1).all():
        kept[order[:budget]] = True
    else:
        left = budget
        for index in order:
            if costs[index] <= left:
                kept[index] = True
                left -= costs[index]
    ends = np.cumsum([mask.size for mask in masks.values()])[:-1]
    return {
        site: part.reshape(mask.shape)
        for (site, mask), part in zip(masks.items(), np.split(kept, ends), strict=True)
    }
