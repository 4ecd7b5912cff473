"""MobileNetV2 as a torch module. docs/recipes.md lists the names of weights."""

from __future__ import annotations

from torch import Tensor, nn

from ..counted_layers import BlockPlace
from ..families.mobilenet_v2 import MobileNetV2Recipe
from .layers import activation, conv, conv_unit, stages_of


class InvertedResidual(nn.Module):
    """A block that computes bn3(project(relu2(bn2(depthwise(relu1(bn1(expand(x)))))))).

    It adds x where the shape stays the same. With `expansion` 1 it has no `expand`, `bn1` and `relu1`.

    >>> import torch
    >>> block = InvertedResidual(4, 8, 2, 6, kept=True, kind="relu6")
    >>> block(torch.zeros(1, 4, 6, 6)).shape, block.expand.out_channels
    (torch.Size([1, 8, 3, 3]), 24)
    """

    def __init__(self, in_width: int, width: int, stride: int, expansion: int, kept: bool, kind: str) -> None:
        super().__init__()
        hidden = expansion * in_width
        self.expands = expansion != 1
        if self.expands:
            self.expand = conv(in_width, hidden, 1)
            self.bn1 = nn.BatchNorm2d(hidden)
            self.relu1 = activation(kept, kind)
        self.depthwise = conv(hidden, hidden, 3, stride, groups=hidden)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.relu2 = activation(kept, kind)
        self.project = conv(hidden, width, 1)
        self.bn3 = nn.BatchNorm2d(width)
        self.adds = stride == 1 and in_width == width

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        inner = self.relu1(self.bn1(self.expand(x))) if self.expands else x
        inner = self.relu2(self.bn2(self.depthwise(inner)))
        out: Tensor = self.bn3(self.project(inner))
        return out + x if self.adds else out


class MobileNetV2(nn.Module):
    """MobileNetV2 as a torch module. The module paths are those of the recipe's layers.

    >>> import torch
    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = MobileNetV2(load_recipe("mobilenetv2-cifar10-1502208"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 10])
    """

    def __init__(self, recipe: MobileNetV2Recipe) -> None:
        super().__init__()
        kind = recipe.activation
        in_width = recipe.scaled(recipe.stem_width)
        relu = activation(recipe.stem_relu, kind)
        self.stem = conv_unit(recipe.input_shape[0], in_width, 3, recipe.stem_stride, relu)

        def block(width: int, place: BlockPlace) -> tuple[nn.Module, int]:
            kept, expansion = recipe.keeps_inner_relu(place.stage), recipe.stage_expansion(place.stage)
            return InvertedResidual(width, place.width, place.stride, expansion, kept, kind), place.width

        self.stages, in_width = stages_of(recipe, in_width, block)
        width = recipe.scaled(recipe.head_width)
        relu = activation(recipe.keeps_inner_relu(recipe.stage_count), kind)
        self.head = conv_unit(in_width, width, 1, 1, relu)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        features = self.head(self.stages(self.stem(x)))
        logits: Tensor = self.classifier(self.flatten(self.pool(features)))
        return logits
