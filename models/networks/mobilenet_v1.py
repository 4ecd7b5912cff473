"""MobileNetV1 as a torch module. docs/recipes.md lists the names of weights."""

from __future__ import annotations

from torch import Tensor, nn

from ..counted_layers import BlockPlace
from ..families.mobilenet_v1 import MobileNetV1Recipe
from .layers import activation, conv, conv_unit, stages_of


class SeparableBlock(nn.Module):
    """A block that computes relu2(bn2(pointwise(relu1(bn1(depthwise(x)))))).

    >>> import torch
    >>> block = SeparableBlock(4, 8, 2, nn.ReLU(), nn.ReLU())
    >>> block(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """

    def __init__(self, in_width: int, width: int, stride: int, relu1: nn.Module, relu2: nn.Module) -> None:
        super().__init__()
        self.depthwise = conv(in_width, in_width, 3, stride, groups=in_width)
        self.bn1 = nn.BatchNorm2d(in_width)
        self.relu1 = relu1
        self.pointwise = conv(in_width, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = relu2

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        inner = self.relu1(self.bn1(self.depthwise(x)))
        out: Tensor = self.relu2(self.bn2(self.pointwise(inner)))
        return out


class MobileNetV1(nn.Module):
    """MobileNetV1 as a torch module. The module paths are those of the recipe's layers.

    >>> import torch
    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = MobileNetV1(load_recipe("mobilenetv1-cifar100-411648"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 100])
    """

    def __init__(self, recipe: MobileNetV1Recipe) -> None:
        super().__init__()
        kind = recipe.activation
        in_width = recipe.scaled(recipe.stem_width)
        relu = activation(recipe.stem_relu, kind)
        self.stem = conv_unit(recipe.input_shape[0], in_width, 3, recipe.stem_stride, relu)

        def block(width: int, place: BlockPlace) -> tuple[nn.Module, int]:
            relu1 = activation(recipe.keeps_inner_relu(place.stage), kind)
            relu2 = activation(recipe.keeps_outer_relu(place.stage), kind)
            return SeparableBlock(width, place.width, place.stride, relu1, relu2), place.width

        self.stages, in_width = stages_of(recipe, in_width, block)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(in_width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        logits: Tensor = self.classifier(self.flatten(self.pool(self.stages(self.stem(x)))))
        return logits
