"""l1-norm filter pruning (Li et al., ICLR 2017): the structured baseline that SNL is compared with.

The filters with the smallest sums of absolute weights are removed, with their ReLUs and the weights that read
them in the next layer. The result is the same network with a smaller alpha.

In a residual block the first convolution is pruned by its own filters. The channels of the residual
stream are chosen where it gets its shape, by the stem's filters or the shortcut's, and are the same for
all blocks of the stage (section 3.3 of the paper).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from pi_bench.errors import ModelError, UsageError

from .criticality import base_name, require_full
from .families.resnet import ResNetRecipe
from .recipe import Recipe
from .recipe_schema import parse_recipe
from .recipe_writing import format_recipe

_PRUNABLE = ("basic", "projection", 2)
_NORM_KEYS = ("weight", "bias", "running_mean", "running_var")


def pruned_recipe(base: Recipe, budget: int) -> Recipe:
    """Returns the widest network of the shape of `base` with at most `budget` ReLUs.

    Raises:
        ModelError: Filters of this network cannot be pruned.
        UsageError: The budget is not below the ReLUs of `base`, or below those of one filter per layer.

    >>> from pi_bench.models import load_recipe
    >>> pruned_recipe(load_recipe("resnet18-cifar100-557056"), 300_000).name
    'resnet18-cifar100-l1-298176'
    """
    narrower = _narrower(base)
    if budget >= base.relu_count:
        raise UsageError(
            f"--budget {budget}: {base.name} has {base.relu_count:,} ReLUs, a budget must be below that"
        )
    for recipe in narrower:
        if recipe.relu_count <= budget:
            name = f"{base_name(base)}-l1-{recipe.relu_count}"
            return parse_recipe(format_recipe(dataclasses.replace(recipe, name=name)), name)
    least = min((recipe.relu_count for recipe in narrower), default=base.relu_count)
    raise UsageError(f"--budget {budget}: {least} is the least for {base.name}, with one filter per layer")


def pruned_sizes(base: Recipe) -> list[int]:
    """Returns the numbers of ReLUs that pruning can leave, ascending.

    Raises:
        ModelError: Filters of this network cannot be pruned.

    >>> from pi_bench.models import load_recipe
    >>> len(pruned_sizes(load_recipe("resnet18-cifar100-557056")))
    504
    """
    return sorted({recipe.relu_count for recipe in _narrower(base)})


def _narrower(base: Recipe) -> list[Recipe]:
    """Returns the networks of the shape of `base` with fewer filters, the widest first."""
    require_full(base)
    if not isinstance(base, ResNetRecipe) or (base.block, base.shortcut, base.first_block_convs) != _PRUNABLE:
        raise ModelError(
            f"filters of {base.name} cannot be pruned: residual networks of basic blocks with convolutions "
            "on their shortcuts can"
        )
    widest = max(base.scaled_widths)
    alphas = (base.alpha * width / widest for width in range(widest - 1, 0, -1))
    return [
        dataclasses.replace(base, alpha=alpha, published=None)
        for alpha in alphas
        if min(int(one * alpha) for one in base.widths) >= 1
    ]


def pruned_state(state: Mapping[str, Tensor], base: Recipe, pruned: Recipe) -> dict[str, Tensor]:
    """Returns the weights `state` of `base` without the filters that `pruned` does not have.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.125)
    >>> pruned = pruned_recipe(base, 40_000)
    >>> state = pruned_state(build(base).state_dict(), base, pruned)
    >>> state["stem.conv.weight"].shape
    torch.Size([4, 3, 3, 3])
    """
    left = dict(state)
    stream = _largest(state["stem.conv.weight"], pruned.scaled_widths[0])
    _keep_filters(left, "stem", "conv", "bn", stream)
    for stage, (count, width) in enumerate(zip(base.blocks, pruned.scaled_widths, strict=True)):
        for block in range(count):
            path, before = f"stages.{stage}.{block}", stream
            if f"{path}.shortcut.conv.weight" in state:
                stream = _largest(state[f"{path}.shortcut.conv.weight"], width)
                _keep_filters(left, f"{path}.shortcut", "conv", "bn", stream, before)
            inner = _largest(state[f"{path}.conv1.weight"], width)
            _keep_filters(left, path, "conv1", "bn1", inner, before)
            _keep_filters(left, path, "conv2", "bn2", stream, inner)
    left["classifier.weight"] = state["classifier.weight"][:, stream]
    return {name: value.clone() for name, value in left.items()}


def _largest(weight: Tensor, count: int) -> Tensor:
    """Returns the `count` filters of `weight` (out, in, k, k) with the largest l1 norms, in their order."""
    norms = weight.abs().sum(dim=(1, 2, 3))
    return torch.argsort(norms, descending=True, stable=True)[:count].sort().values


def _keep_filters(
    state: dict[str, Tensor], path: str, conv: str, norm: str, kept: Tensor, inputs: Tensor | None = None
) -> None:
    weight = state[f"{path}.{conv}.weight"][kept]
    state[f"{path}.{conv}.weight"] = weight if inputs is None else weight[:, inputs]
    for key in _NORM_KEYS:
        state[f"{path}.{norm}.{key}"] = state[f"{path}.{norm}.{key}"][kept]
