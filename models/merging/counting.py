"""Counts of convolutions and multiply-accumulates after DeepReDuce's merging (Tables 7 and 8).

Section 5.3: two convolutions can be merged if the ReLU between them is dropped. The paper prints counts, not
the rule. The rule here gives most of them; the tests list the rows that differ:

- a convolution of a thinned stage whose ReLU is dropped is merged into the next one, at the next one's cost;
- the blocks of a culled stage are merged into one block: two convolutions stay of it;
- the stem stays, and so do convolutions that keep their ReLU. Shortcuts are not counted as layers.

The multiply-accumulates are the paper's, although a merged kernel grows. `network` makes the merged network,
which has as many convolutions on its main path. The harness measures its real cost.
"""

from __future__ import annotations

from ..counted_layers import CountedLayer, OperatorKind
from ..recipe import Recipe

_CULLED_STAGE_CONVS = 2
_ENDS = (OperatorKind.CONV, OperatorKind.RELU, OperatorKind.MAX_POOL)


def conv_count(recipe: Recipe) -> int:
    """Returns the number of convolutions on the main path before merging.

    >>> from pi_bench.models import load_recipe
    >>> conv_count(load_recipe("resnet18-cifar100-557056"))
    17
    """
    return sum(layer.kind is OperatorKind.CONV for layer in recipe.layers())


def merged_conv_count(recipe: Recipe) -> int:
    """Returns the number of convolutions on the main path after merging, the #Conv column of Table 7.

    >>> from pi_bench.models import load_recipe
    >>> merged_conv_count(load_recipe("resnet18-cifar100-12288"))
    9
    """
    return sum(layer.kind is OperatorKind.CONV for layer in merged_layers(recipe))


def merged_mac_count(recipe: Recipe) -> int:
    """Returns the multiply-accumulates after merging, the FLOPs column of Table 8.

    >>> from pi_bench.models import load_recipe
    >>> round(merged_mac_count(load_recipe("resnet56-cifar10-221184")) / 1e6, 1)
    87.7
    """
    return sum(layer.mac_count for layer in merged_layers(recipe))


def merged_layers(recipe: Recipe) -> list[CountedLayer]:
    """Returns the convolutions, shortcuts and linear layers that merging leaves, each as it was.

    >>> from pi_bench.models import load_recipe
    >>> layers = merged_layers(load_recipe("resnet18-cifar100-12288"))
    >>> [layer.path for layer in layers if layer.stage == 1]
    ['stages.0.0.conv1', 'stages.0.0.conv2']
    """
    kept: list[CountedLayer] = []
    for stage in range(recipe.stage_count + 1):
        layers = [layer for layer in recipe.layers() if layer.stage == stage]
        if stage in recipe.culled_stages:
            kept += _until_conv(layers, _CULLED_STAGE_CONVS)
        elif stage in recipe.thinned_stages:
            kept += _before_relus(layers)
        else:
            kept += layers
    return [layer for layer in kept if layer.mac_count]


def _until_conv(layers: list[CountedLayer], count: int) -> list[CountedLayer]:
    """Returns the layers before the convolution that follows `count` others."""
    convs = [index for index, layer in enumerate(layers) if layer.kind is OperatorKind.CONV]
    return layers[: convs[count]] if len(convs) > count else layers


def _before_relus(layers: list[CountedLayer]) -> list[CountedLayer]:
    """Returns `layers` without the convolutions that have no ReLU or max-pool before the next convolution."""
    kept = []
    for index, layer in enumerate(layers):
        if layer.kind is OperatorKind.CONV:
            following = (later.kind for later in layers[index + 1 :] if later.kind in _ENDS)
            if next(following, OperatorKind.CONV) is OperatorKind.CONV:
                continue
        kept.append(layer)
    return kept
