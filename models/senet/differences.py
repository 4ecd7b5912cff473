"""The difference between activation maps of a network with all ReLUs and of one with some of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.layer_outputs import layer_outputs
from ..networks.masked_relu import masked_relus
from ..training.batches import Batches, DeviceSplit

_COMPARED_AT_ONCE = 256


@torch.no_grad()
def map_differences(
    partial: nn.Module, full: nn.Module, batches: Batches, split: DeviceSplit
) -> dict[str, np.ndarray]:
    """Returns the mean absolute difference at each position of each masked layer, float64 (channels, …).

    Args:
        partial: the network with masks.
        full: the network with ReLUs at the same paths.
        split: the images to compare on.

    >>> from pathlib import Path
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.networks.masked_relu import TrainableMaskedReLU
    >>> batches = Batches(load_data("digits", (1, 8, 8), data_dir=Path("data")), 0.0, torch.device("cpu"))
    >>> partial = nn.Sequential(TrainableMaskedReLU((1, 8, 8), "pixel"))
    >>> partial[0].mask.data[0, 0, 4, 4] = 0
    >>> found = map_differences(partial, nn.Sequential(nn.ReLU()), batches, batches.test)["0"]
    >>> np.flatnonzero(found).tolist()
    [36]
    """
    partial.eval(), full.eval()
    sums: dict[str, Tensor] = {}
    paths = list(masked_relus(partial))
    with layer_outputs(partial, paths) as mine, layer_outputs(full, paths) as theirs:
        for start in range(0, len(split), _COMPARED_AT_ONCE):
            images = batches.normalized(split.images[start : start + _COMPARED_AT_ONCE])
            partial(images), full(images)
            for path in paths:
                difference = (mine[path] - theirs[path]).abs().sum(dim=0, dtype=torch.float64)
                sums[path] = sums[path] + difference if path in sums else difference
    return {path: (total / len(split)).cpu().numpy() for path, total in sums.items()}


def most_different(
    differences: Mapping[str, np.ndarray], budgets: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Returns bool masks that keep, in each layer, the positions with the largest differences.

    Among equal differences, earlier positions come first.

    >>> most_different({"a": np.array([0.1, 0.3, 0.2])}, {"a": 2})
    {'a': array([False,  True,  True])}
    """
    masks = {}
    for path, values in differences.items():
        kept = np.zeros(values.size, bool)
        kept[np.argsort(-values.ravel(), kind="stable")[: budgets[path]]] = True
        masks[path] = kept.reshape(values.shape)
    return masks
