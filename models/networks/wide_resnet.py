"""Wide residual networks as torch modules. docs/recipes.md lists the names of weights."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from ..counted_layers import BlockPlace
from ..families.wide_resnet import WideResNetRecipe
from .layers import activation, conv, stages_of


class WideBlock(nn.Module):
    """A block that computes conv2(relu2(bn2(conv1(y)))) + shortcut, where y = relu1(bn1(x)).

    The shortcut is x, or a convolution of y where the shape changes.

    >>> import torch
    >>> block = WideBlock(4, 8, 2, nn.ReLU(), nn.ReLU())
    >>> block(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """

    def __init__(self, in_width: int, width: int, stride: int, relu1: nn.Module, relu2: nn.Module) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_width)
        self.relu1 = relu1
        self.conv1 = conv(in_width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = relu2
        self.conv2 = conv(width, width, 3)
        self.projects = stride != 1 or in_width != width
        if self.projects:
            self.shortcut = conv(in_width, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        y = self.relu1(self.bn1(x))
        out: Tensor = self.conv2(self.relu2(self.bn2(self.conv1(y))))
        return out + (self.shortcut(y) if self.projects else x)


class WideResNet(nn.Module):
    """A wide residual network as a torch module. The module paths are those of the recipe's layers.

    >>> import torch
    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = WideResNet(load_recipe("wrn-22-8-cifar100-1392640"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 100])
    """

    def __init__(self, recipe: WideResNetRecipe) -> None:
        super().__init__()
        in_width = recipe.scaled(recipe.stem_width)
        self.stem = conv(recipe.input_shape[0], in_width, 3, recipe.stem_stride)

        def block(width: int, place: BlockPlace) -> tuple[nn.Module, int]:
            relu1 = activation(recipe.keeps_inner_relu(place.stage))
            relu2 = activation(recipe.keeps_outer_relu(place.stage))
            return WideBlock(width, place.width, place.stride, relu1, relu2), place.width

        self.stages, in_width = stages_of(recipe, in_width, block)
        self.head = nn.Sequential(
            OrderedDict(bn=nn.BatchNorm2d(in_width), relu=activation(recipe.keeps_head_relu))
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(in_width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        features = self.head(self.stages(self.stem(x)))
        logits: Tensor = self.classifier(self.flatten(self.pool(features)))
        return logits
