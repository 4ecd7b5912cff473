"""Where a network's parameters, multiply-accumulates and ReLUs are: DeepReDuce's Figure 3, for any recipe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .layers import Kind, Layer
from .recipe import Recipe

_WEIGHTED = (Kind.CONV, Kind.SHORTCUT, Kind.LINEAR)


@dataclass(frozen=True, slots=True)
class Share:
    """What a layer or a stage has of the network. Batch norm's parameters count where they apply."""

    name: str
    parameter_count: int
    mac_count: int
    relu_count: int


def by_layer(recipe: Recipe) -> list[Share]:
    """A share for every convolution, shortcut and linear layer, with the ReLUs that take its output.

    The ReLU after an addition counts with the convolution of the main path.
    """
    groups: list[list[Layer]] = []
    main: list[Layer] = []
    for layer in recipe.layers():
        if layer.kind in _WEIGHTED:
            groups.append([])
            if layer.kind is not Kind.SHORTCUT:
                main = groups[-1]
        (main if layer.kind is Kind.RELU else groups[-1]).append(layer)
    return [_share(group[0].path, group) for group in groups]


def by_stage(recipe: Recipe) -> list[Share]:
    """A share for the stem, where there is one, each stage S1, S2, … and the classifier."""
    layers = recipe.layers()
    first = next(index for index, layer in enumerate(layers) if layer.stage)
    stages = [
        _share(f"S{stage}", [layer for layer in layers if layer.stage == stage])
        for stage in range(1, recipe.stage_count + 1)
    ]
    stem = [_share("stem", layers[:first])] if first else []
    return [*stem, *stages, _share("classifier", [layer for layer in layers[first:] if not layer.stage])]


def _share(name: str, layers: Iterable[Layer]) -> Share:
    layers = list(layers)
    return Share(
        name,
        sum(layer.parameter_count for layer in layers),
        sum(layer.mac_count for layer in layers),
        sum(layer.relu_count for layer in layers),
    )
