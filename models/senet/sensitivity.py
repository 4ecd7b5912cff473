"""The ReLU sensitivity of each layer, and the ReLUs that each layer gets of a budget.

After SENet; formulas reconstructed, docs/reduction.md names the parts that are ours. A layer of which pruning
keeps few weights is taken to need its ReLUs more. If the fraction eta of its weights stays, its ReLU
sensitivity is 1 - eta. Its budget is proportional to that and to the layer's size. Pruning is by magnitude
over all layers at once, without training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..counted_layers import OperatorKind
from ..recipe import Recipe

_WEIGHTED = (OperatorKind.CONV, OperatorKind.LINEAR)


def relu_sensitivities(recipe: Recipe, state: Mapping[str, Tensor], density: float) -> dict[str, float]:
    """Returns the ReLU sensitivity of each ReLU layer of `recipe` by its path, from 0 to 1.

    Args:
        state: the trained weights of the network with all its ReLUs.
        density: the fraction of the weights that pruning keeps.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> recipe = narrowed(load_recipe("resnet18-cifar100-557056"), 0.0625)
    >>> found = relu_sensitivities(recipe, build(recipe).state_dict(), 0.5)
    >>> len(found) == len(list(recipe.relu_shapes())), 0 <= min(found.values()) <= max(found.values()) <= 1
    (True, True)
    """
    sources = _weights_before_relus(recipe)
    weights = {path: state[f"{source}.weight"].abs().flatten() for path, source in sources.items()}
    everything = torch.cat(list(weights.values())).sort(descending=True).values
    limit = everything[max(0, round(density * len(everything)) - 1)]
    return {path: 1 - float((values >= limit).float().mean()) for path, values in weights.items()}


def _weights_before_relus(recipe: Recipe) -> dict[str, str]:
    """Returns for each ReLU layer the path of the weights on the main path before it."""
    wanted = {path for path, _ in recipe.relu_shapes()}
    found: dict[str, str] = {}
    last = ""
    for layer in recipe.layers():
        if layer.kind in _WEIGHTED:
            last = layer.path
        elif layer.path in wanted:
            found[layer.path] = last
    return found


def layer_budgets(
    sensitivities: Mapping[str, float], sizes: Mapping[str, int], budget: int
) -> dict[str, int]:
    """Divides a budget of ReLUs among layers, in proportion to ReLU sensitivity and size. They add up to it.

    A layer never gets more ReLUs than it has; the others share the rest. If no layer is sensitive, sizes
    decide alone.

    Args:
        sizes: the ReLUs of each layer.
        budget: at most the sum of the sizes.

    >>> layer_budgets({"a": 0.9, "b": 0.1}, {"a": 100, "b": 100}, 50)
    {'a': 45, 'b': 5}
    >>> layer_budgets({"a": 0.9, "b": 0.1}, {"a": 10, "b": 100}, 50)
    {'a': 10, 'b': 40}
    """
    if not 0 <= budget <= sum(sizes.values()):
        raise ValueError(f"budget {budget}: the layers have {sum(sizes.values())} ReLUs")
    found: dict[str, int] = {}
    shares: dict[str, float] = {}
    waiting, left = list(sizes), budget
    while waiting:
        weights = {path: sensitivities[path] * sizes[path] for path in waiting}
        if not sum(weights.values()):
            weights = {path: float(sizes[path]) for path in waiting}
        total = sum(weights.values())
        shares = {path: left * weight / total for path, weight in weights.items()}
        full = [path for path in waiting if shares[path] >= sizes[path]]
        if not full:
            break
        for path in full:
            found[path] = sizes[path]
            left -= sizes[path]
            waiting.remove(path)
    found |= {path: math.floor(shares[path]) for path in waiting}
    missing = budget - sum(found.values())
    by_rest = sorted(waiting, key=lambda path: -(shares[path] - found[path]))  # stable: earlier layers first
    for path in by_rest[:missing]:
        found[path] += 1
    return {path: found[path] for path in sizes}


def random_masks(
    budgets: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, np.ndarray]:
    """Returns bool masks that keep as many ReLUs of each layer as its budget, at random places.

    >>> random_masks({"a": 3}, {"a": (1, 2, 2, 2)}, seed=1)["a"].sum().item()
    3
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    masks = {}
    for path, shape in shapes.items():
        mask = np.zeros(math.prod(shape), bool)
        mask[generator.permutation(mask.size)[: budgets[path]]] = True
        masks[path] = mask.reshape(shape)
    return masks
