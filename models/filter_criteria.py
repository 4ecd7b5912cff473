"""The criteria by which filters of a convolution are ranked. Pruning removes the filters that rank lowest.

- l1: the sum of the absolute weights (Li et al., ICLR 2017);
- l2: the root of the sum of the squared weights (as in soft filter pruning, He et al., IJCAI 2018);
- geometric-median: the sum of the distances to all filters of the layer. The filters with small sums are
  nearest to the geometric median, so that the others can replace them (He et al., CVPR 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor

CRITERIA = ("l1", "l2", "geometric-median")


def filter_scores(weight: Tensor, criterion: str) -> Tensor:
    """Returns the score of each filter of `weight` (out, in, k, k), as (out,).

    Args:
        criterion: one of `CRITERIA`.

    >>> weight = torch.tensor([[3.0, 0.0], [2.0, 2.0], [2.0, 1.0]]).reshape(3, 2, 1, 1)
    >>> filter_scores(weight, "l1")
    tensor([3., 4., 3.])
    >>> filter_scores(weight, "l2")
    tensor([3.0000, 2.8284, 2.2361])
    """
    if criterion == "l1":
        return weight.abs().sum(dim=(1, 2, 3))
    if criterion == "l2":
        return weight.square().sum(dim=(1, 2, 3)).sqrt()
    if criterion == "geometric-median":
        filters = weight.flatten(1)
        # Without this mode, distances of similar filters are rounding errors.
        return torch.cdist(filters, filters, compute_mode="donot_use_mm_for_euclid_dist").sum(dim=1)
    raise ValueError(f"criterion {criterion!r}: it is none of {', '.join(CRITERIA)}")


def largest_filters(weight: Tensor, count: int, criterion: str) -> Tensor:
    """Returns the indices of the `count` filters with the largest scores, in ascending order.

    Among filters of equal score, the first ones are taken.

    >>> weight = torch.tensor([[3.0, 0.0], [2.0, 2.0], [2.0, 1.0]]).reshape(3, 2, 1, 1)
    >>> largest_filters(weight, 1, "l1"), largest_filters(weight, 1, "l2")
    (tensor([1]), tensor([0]))
    """
    scores = filter_scores(weight, criterion)
    return torch.argsort(scores, descending=True, stable=True)[:count].sort().values
