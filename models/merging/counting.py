"""Convolutions and multiply-accumulates after DeepReDuce has merged adjacent linear layers (Tables 7 and 8).

Section 5.3: a ReLU that is dropped between two convolutions lets them be merged. The paper prints counts,
not the rule; this one gives most of them (the tests list which, and what is printed instead):

- a convolution of a thinned stage whose ReLU is dropped is merged into the next one, at the next one's cost;
- the blocks of a culled stage are merged into one block: two convolutions stay of it;
- the stem stays, and what keeps its ReLU; shortcuts are not counted as layers.

The cost is the paper's too: a merged kernel grows. `network` makes the merged network itself, which has as
many convolutions on its main path; what it costs, the harness measures on it.
"""

from __future__ import annotations

from ..layers import Kind, Layer
from ..recipe import Recipe

_CULLED_STAGE_CONVS = 2
_ENDS = (Kind.CONV, Kind.RELU, Kind.MAX_POOL)


def conv_count(recipe: Recipe) -> int:
    """Convolutions on the main path, nothing merged: 17 for ResNet18."""
    return sum(layer.kind is Kind.CONV for layer in recipe.layers())


def merged_conv_count(recipe: Recipe) -> int:
    """The #Conv column of Table 7."""
    return sum(layer.kind is Kind.CONV for layer in merged_layers(recipe))


def merged_mac_count(recipe: Recipe) -> int:
    """The FLOPs column of Table 8, which counts a multiplication and its addition as one."""
    return sum(layer.mac_count for layer in merged_layers(recipe))


def merged_layers(recipe: Recipe) -> list[Layer]:
    """The convolutions, shortcuts and linear layers that stay, each as it was."""
    kept: list[Layer] = []
    for stage in range(recipe.stage_count + 1):
        layers = [layer for layer in recipe.layers() if layer.stage == stage]
        if stage in recipe.culled_stages:
            kept += _until_conv(layers, _CULLED_STAGE_CONVS)
        elif stage in recipe.thinned_stages:
            kept += _before_relus(layers)
        else:
            kept += layers
    return [layer for layer in kept if layer.mac_count]


def _until_conv(layers: list[Layer], count: int) -> list[Layer]:
    """Layers before the convolution that follows `count` others."""
    convs = [index for index, layer in enumerate(layers) if layer.kind is Kind.CONV]
    return layers[: convs[count]] if len(convs) > count else layers


def _before_relus(layers: list[Layer]) -> list[Layer]:
    """Without the convolutions that neither a ReLU nor a maximum follows before the next one."""
    kept = []
    for index, layer in enumerate(layers):
        if layer.kind is Kind.CONV:
            following = (later.kind for later in layers[index + 1 :] if later.kind in _ENDS)
            if next(following, Kind.CONV) is Kind.CONV:
                continue
        kept.append(layer)
    return kept
