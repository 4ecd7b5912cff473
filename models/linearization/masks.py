"""Values, counts and the penalty of the masks while they are trained."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..networks.masked_relu import TrainableMaskedReLU
from .selection import count_above


def lasso_penalty(relus: Mapping[str, TrainableMaskedReLU], coefficient: float) -> Tensor:
    """Returns coefficient * |masks|_1. The mask of a whole channel counts once per ReLU of the channel.

    >>> float(lasso_penalty({"relu": TrainableMaskedReLU((2, 4, 4), "channel")}, 0.5))
    16.0
    """
    norms = [part.mask.abs().sum() * part.relus_each for part in relus.values()]
    return coefficient * torch.stack(norms).sum()


def relu_count(relus: Mapping[str, TrainableMaskedReLU], threshold: float) -> int:
    """Returns the number of ReLUs whose mask is above `threshold`.

    >>> relu_count({"relu": TrainableMaskedReLU((2, 4, 4), "channel")}, 0.01)
    32
    """
    return count_above(mask_values(relus), {site: part.relus_each for site, part in relus.items()}, threshold)


def mask_values(relus: Mapping[str, TrainableMaskedReLU]) -> dict[str, np.ndarray]:
    """Returns copies of the masks by the path of their layer, float32.

    >>> mask_values({"relu": TrainableMaskedReLU((2, 1, 1), "pixel")})["relu"].shape
    (1, 2, 1, 1)
    """
    masks = {site: part.mask.detach().cpu() for site, part in relus.items()}
    return {site: mask.clone(memory_format=torch.contiguous_format).numpy() for site, mask in masks.items()}
