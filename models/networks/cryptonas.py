"""CryptoNAS networks as torch modules. docs/recipes.md lists the names of weights."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from ..families.cryptonas import Arc, CryptoNasRecipe
from .layers import FactorizedReduction, activation, conv


class ArcLayer(nn.Module):
    """A layer that computes bn(conv(relu(x))). Layers with `skip` also concatenate earlier outputs.

    >>> from pi_bench.models import load_recipe
    >>> arc = list(load_recipe("cnet1-cifar100-86016").layer_arcs())[1]
    >>> ArcLayer(arc, nn.ReLU())(torch.zeros(1, 14, 8, 8), []).shape
    torch.Size([1, 14, 8, 8])
    """

    def __init__(self, arc: Arc, relu: nn.Module) -> None:
        super().__init__()
        width = arc.place.width
        self.relu = relu
        self.conv = conv(width, width, arc.kernel)
        self.bn = nn.BatchNorm2d(width)
        self.joins = arc.number > 0
        if self.joins:
            parts = OrderedDict(conv=conv((1 + len(arc.skips)) * width, width, 1), bn=nn.BatchNorm2d(width))
            self.skip = nn.Sequential(parts)

    def forward(self, x: Tensor, skipped: list[Tensor]) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width).

        Args:
            x: the output of the layer before.
            skipped: the earlier outputs that the layer concatenates, which have the same shape.
        """
        out: Tensor = self.bn(self.conv(self.relu(x)))
        if not self.joins:
            return out
        joined: Tensor = self.skip(torch.cat([*skipped, out], dim=1))
        return joined


class CryptoNas(nn.Module):
    """A CryptoNAS network as a torch module. The module paths are those of the recipe's layers.

    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = CryptoNas(load_recipe("cnet1-cifar100-86016"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 100])
    """

    def __init__(self, recipe: CryptoNasRecipe) -> None:
        super().__init__()
        width = recipe.scaled_widths[0]
        stem = conv(recipe.input_shape[0], width, 3, recipe.stem_stride)
        self.stem = nn.Sequential(OrderedDict(conv=stem, bn=nn.BatchNorm2d(width)))
        self.stages = nn.ModuleList(nn.ModuleList() for _ in recipe.blocks)
        self._skips: list[list[tuple[int, ...]]] = [[] for _ in recipe.blocks]
        for arc in recipe.layer_arcs():
            stage = arc.place.stage
            relu = activation(recipe.keeps_relu(stage, arc.place.number))
            cast(nn.ModuleList, self.stages[stage - 1]).append(ArcLayer(arc, relu))
            self._skips[stage - 1].append(arc.skips)
        self.reductions = nn.ModuleList(
            nn.ModuleDict({str(output): FactorizedReduction(before, after) for output in outputs})
            for (_, outputs), (before, after) in zip(
                recipe.reductions(), pairwise(recipe.scaled_widths), strict=True
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(recipe.scaled_widths[-1], recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        outputs = {0: self.stem(x)}
        for number, (layers, skips) in enumerate(zip(self.stages, self._skips, strict=True)):
            if number:
                reductions = cast(nn.ModuleDict, self.reductions[number - 1])
                outputs = {int(name): part(outputs[int(name)]) for name, part in reductions.items()}
            for layer, chosen in zip(cast(nn.ModuleList, layers), skips, strict=True):
                last = max(outputs)
                outputs[last + 1] = layer(outputs[last], [outputs[output] for output in chosen])
        logits: Tensor = self.classifier(self.flatten(self.pool(outputs[max(outputs)])))
        return logits
