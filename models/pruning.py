"""Filter pruning (Li et al., ICLR 2017): the structured baseline that SNL is compared with.

The filters that a criterion ranks lowest (`filter_criteria`) are removed, with their ReLUs and the weights
that read them in the next layer. The result is the same network with a smaller alpha.

In a residual block the first convolution is pruned by its own filters. The channels of the residual
stream are chosen where it gets its shape, by the stem's filters or the shortcut's, and are the same for
all blocks of the stage (section 3.3 of the paper).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from torch import Tensor

from pi_bench.errors import ModelError, UsageError

from .counted_layers import OperatorKind
from .criticality import base_name, require_full
from .families.resnet import ResNetRecipe
from .filter_criteria import largest_filters
from .recipe import Recipe
from .recipe_schema import parse_recipe
from .recipe_writing import format_recipe

_PRUNABLE = ("basic", "projection", 2)
_NORM_KEYS = ("weight", "bias", "running_mean", "running_var")


def pruned_recipe(base: Recipe, budget: int, criterion: str = "l1") -> Recipe:
    """Returns the widest network of the shape of `base` with at most `budget` ReLUs.

    Args:
        criterion: the criterion in the network's name. It does not change the shape.

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
            name = f"{base_name(base)}-{criterion}-{recipe.relu_count}"
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


def chosen_layers(base: Recipe, pruned: Recipe) -> Iterator[tuple[str, int]]:
    """Yields path and number of filters to keep of each convolution whose weights choose filters, in order.

    These are the first convolution of each block, and the stem and the shortcuts, which choose the channels
    of the residual stream.

    >>> from pi_bench.models import load_recipe
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> list(chosen_layers(base, pruned_recipe(base, 300_000)))[:3]
    [('stem.conv', 34), ('stages.0.0.conv1', 34), ('stages.0.1.conv1', 34)]
    """
    yield "stem.conv", pruned.scaled_widths[0]
    for path, stage, reshapes in _blocks(base):
        if reshapes:
            yield f"{path}.shortcut.conv", pruned.scaled_widths[stage]
        yield f"{path}.conv1", pruned.scaled_widths[stage]


def kept_filters(
    state: Mapping[str, Tensor], base: Recipe, pruned: Recipe, criteria: Mapping[str, str] | str
) -> dict[str, Tensor]:
    """Returns the filters that stay, as ascending indices, by the path of each of `chosen_layers`.

    Args:
        state: the weights of `base`.
        criteria: the criterion of each layer by its path, or one for all layers.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.125)
    >>> kept = kept_filters(build(base).state_dict(), base, pruned_recipe(base, 40_000), "l2")
    >>> len(kept["stem.conv"])
    4
    """
    return {
        path: largest_filters(
            state[f"{path}.weight"], count, criteria if isinstance(criteria, str) else criteria[path]
        )
        for path, count in chosen_layers(base, pruned)
    }


def norm_choices(base: Recipe) -> dict[str, str]:
    """Returns the layer of `chosen_layers` that chooses the channels of each batch norm, by their paths.

    >>> from pi_bench.models import load_recipe
    >>> found = norm_choices(load_recipe("resnet18-cifar100-557056"))
    >>> found["stages.1.1.bn1"], found["stages.1.1.bn2"]
    ('stages.1.1.conv1', 'stages.1.0.shortcut.conv')
    """
    found = {"stem.bn": "stem.conv"}
    stream = "stem.conv"
    for path, _, reshapes in _blocks(base):
        if reshapes:
            stream = f"{path}.shortcut.conv"
            found[f"{path}.shortcut.bn"] = stream
        found |= {f"{path}.bn1": f"{path}.conv1", f"{path}.bn2": stream}
    return found


def pruned_state(
    state: Mapping[str, Tensor], base: Recipe, pruned: Recipe, criteria: Mapping[str, str] | str = "l1"
) -> dict[str, Tensor]:
    """Returns the weights `state` of `base` without the filters that `pruned` does not have.

    Args:
        criteria: the criterion of each of `chosen_layers` by its path, or one for all layers.

    >>> from pi_bench.models import load_recipe, narrowed
    >>> from pi_bench.models.building import build
    >>> base = narrowed(load_recipe("resnet18-cifar100-557056"), 0.125)
    >>> pruned = pruned_recipe(base, 40_000)
    >>> state = pruned_state(build(base).state_dict(), base, pruned)
    >>> state["stem.conv.weight"].shape
    torch.Size([4, 3, 3, 3])
    """
    left, kept = dict(state), kept_filters(state, base, pruned, criteria)
    stream = kept["stem.conv"]
    _keep_filters(left, "stem", "conv", "bn", stream)
    for path, _, reshapes in _blocks(base):
        before = stream
        if reshapes:
            stream = kept[f"{path}.shortcut.conv"]
            _keep_filters(left, f"{path}.shortcut", "conv", "bn", stream, before)
        inner = kept[f"{path}.conv1"]
        _keep_filters(left, path, "conv1", "bn1", inner, before)
        _keep_filters(left, path, "conv2", "bn2", stream, inner)
    left["classifier.weight"] = state["classifier.weight"][:, stream]
    return {name: value.clone() for name, value in left.items()}


def _blocks(base: Recipe) -> Iterator[tuple[str, int, bool]]:
    """Yields path, stage (from 0) and whether there is a convolution on the shortcut, of each block."""
    shortcuts = {layer.path for layer in base.sketch() if layer.kind is OperatorKind.SHORTCUT}
    for stage, count in enumerate(base.blocks):
        for block in range(count):
            path = f"stages.{stage}.{block}"
            yield path, stage, f"{path}.shortcut.conv" in shortcuts


def _keep_filters(
    state: dict[str, Tensor], path: str, conv: str, norm: str, kept: Tensor, inputs: Tensor | None = None
) -> None:
    weight = state[f"{path}.{conv}.weight"][kept]
    state[f"{path}.{conv}.weight"] = weight if inputs is None else weight[:, inputs]
    for key in _NORM_KEYS:
        state[f"{path}.{norm}.{key}"] = state[f"{path}.{norm}.{key}"][kept]
