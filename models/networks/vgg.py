"""VGG networks as torch modules. docs/recipes.md lists the names of weights."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from ..families.vgg import VggRecipe
from .layers import activation, conv_unit


class Vgg(nn.Module):
    """A VGG network as a torch module. The module paths are those of the recipe's layers.

    >>> import torch
    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = Vgg(load_recipe("vgg16-cifar10-276480"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 10])
    """

    def __init__(self, recipe: VggRecipe) -> None:
        super().__init__()
        pooling = nn.MaxPool2d if recipe.pool == "max" else nn.AvgPool2d
        pooled = {layer.path for layer in recipe.layers()}
        in_width = recipe.input_shape[0]
        stages = []
        for stage, (count, width) in enumerate(zip(recipe.blocks, recipe.scaled_widths, strict=True), 1):
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            for number in range(count):
                stride = recipe.stem_stride if stage == 1 and number == 0 else 1
                relu = activation(recipe.keeps_relu(stage, number))
                parts[str(number)] = conv_unit(in_width, width, 3, stride, relu)
                in_width = width
            if f"stages.{stage - 1}.pool" in pooled:
                parts["pool"] = pooling(2)
            stages.append(nn.Sequential(parts))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        hidden = []
        for number, width in enumerate(map(recipe.scaled, recipe.hidden_widths)):
            relu = activation(recipe.keeps_relu(recipe.stage_count, number))
            hidden.append(nn.Sequential(OrderedDict(linear=nn.Linear(in_width, width), relu=relu)))
            in_width = width
        self.hidden = nn.Sequential(*hidden)
        self.classifier = nn.Linear(in_width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        features = self.flatten(self.pool(self.stages(x)))
        logits: Tensor = self.classifier(self.hidden(features))
        return logits
