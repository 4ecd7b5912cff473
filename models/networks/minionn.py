"""MiniONN's network for CIFAR-10 as a torch module, with biases and mean pooling, without batch norm."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import Tensor, nn

from ..families.minionn import CONVS, MinionnRecipe
from .layers import activation


class Minionn(nn.Module):
    """MiniONN's network as a torch module. The module paths are those of the recipe's layers.

    >>> import torch
    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = Minionn(load_recipe("minionn-cifar10-173056"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 10])
    """

    def __init__(self, recipe: MinionnRecipe) -> None:
        super().__init__()
        stages: list[OrderedDict[str, nn.Module]] = [OrderedDict() for _ in CONVS]
        in_width = recipe.input_shape[0]
        for stage, number, width, kernel, stride in recipe.convs():
            conv = nn.Conv2d(in_width, width, kernel, stride, kernel // 2)
            relu = activation(recipe.keeps_relu(stage, number))
            stages[stage - 1][str(number)] = nn.Sequential(OrderedDict(conv=conv, relu=relu))
            in_width = width
        for parts in stages[:-1]:
            parts["pool"] = nn.AvgPool2d(2)
        self.stages = nn.Sequential(*map(nn.Sequential, stages))
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(math.prod(recipe.feature_shape), recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        logits: Tensor = self.classifier(self.flatten(self.stages(x)))
        return logits
