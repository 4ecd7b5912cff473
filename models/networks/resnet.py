"""Residual networks as torch modules. A ReLU that a recipe removes is an Identity.

He et al., CVPR 2016: 1x1 convolution and batch norm on the shortcut where a block changes the shape,
global average pooling, one fully connected layer. Bottleneck blocks have their stride at the 3x3
convolution, as the public ImageNet weights do. docs/recipes.md lists the names of weights.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from ..counted_layers import BlockPlace
from ..families.resnet import EXPANSION, ResNetRecipe
from .layers import activation, stages_of


class PadShortcut(nn.Module):
    """A shortcut without weights that takes every `stride`-th pixel and adds channels of zeros on both sides.

    >>> import torch
    >>> PadShortcut(2, 5, 2)(torch.ones(1, 2, 4, 4))[0, :, 0, 0]
    tensor([0., 1., 1., 0., 0.])
    """

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        before = (width - in_width) // 2
        self.channels = (before, width - in_width - before)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        pixels = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(pixels, (0, 0, 0, 0, *self.channels))


class BasicBlock(nn.Module):
    """A block that computes relu2(bn2(conv2(relu1(bn1(conv1(x))))) + shortcut(x)).

    >>> import torch
    >>> block = BasicBlock(4, 4, 1, nn.Identity(), inner_relu=True, outer_relu=False)
    >>> block(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 4, 6, 6])
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        stride: int,
        shortcut: nn.Module,
        inner_relu: bool,
        outer_relu: bool,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_width, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = activation(inner_relu)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut
        self.relu2 = activation(outer_relu)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        inner = self.relu1(self.bn1(self.conv1(x)))
        out: Tensor = self.relu2(self.bn2(self.conv2(inner)) + self.shortcut(x))
        return out


class SingleConvBlock(nn.Module):
    """A block that computes relu1(bn1(conv1(x)) + shortcut(x)), the first one of DeepReDuce's ResNet9.

    >>> import torch
    >>> block = SingleConvBlock(4, 4, 1, nn.Identity(), outer_relu=True)
    >>> block(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 4, 6, 6])
    """

    def __init__(self, in_width: int, width: int, stride: int, shortcut: nn.Module, outer_relu: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_width, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.shortcut = shortcut
        self.relu1 = activation(outer_relu)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        out: Tensor = self.relu1(self.bn1(self.conv1(x)) + self.shortcut(x))
        return out


class Bottleneck(nn.Module):
    """A block that computes relu3(bn3(conv3(relu2(bn2(conv2(relu1(bn1(conv1(x)))))))) + shortcut(x)).

    Its kernels are 1x1, 3x3 and 1x1; its output has four times `width` channels.

    >>> import torch
    >>> block = Bottleneck(4, 1, 1, nn.Identity(), inner_relu=True, outer_relu=True)
    >>> block(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 4, 6, 6])
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        stride: int,
        shortcut: nn.Module,
        inner_relu: bool,
        outer_relu: bool,
    ) -> None:
        super().__init__()
        out_width = EXPANSION * width
        self.conv1 = nn.Conv2d(in_width, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = activation(inner_relu)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = activation(inner_relu)
        self.conv3 = nn.Conv2d(width, out_width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_width)
        self.shortcut = shortcut
        self.relu3 = activation(outer_relu)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        inner = self.relu1(self.bn1(self.conv1(x)))
        inner = self.relu2(self.bn2(self.conv2(inner)))
        out: Tensor = self.relu3(self.bn3(self.conv3(inner)) + self.shortcut(x))
        return out


class ResNet(nn.Module):
    """A residual network as a torch module. The module paths are those of the recipe's layers.

    >>> import torch
    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = ResNet(load_recipe("resnet18-cifar100-12288"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 100])
    """

    def __init__(self, recipe: ResNetRecipe) -> None:
        super().__init__()
        width = recipe.scaled_widths[0]
        self.stem = _stem(recipe, width)
        self.stages, width = stages_of(recipe, width, lambda before, place: _block(recipe, before, place))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        logits: Tensor = self.classifier(self.flatten(self.pool(self.stages(self.stem(x)))))
        return logits


def _stem(recipe: ResNetRecipe, width: int) -> nn.Sequential:
    imagenet = recipe.stem == "imagenet"
    kernel = 7 if imagenet else 3
    conv = nn.Conv2d(
        recipe.input_shape[0], width, kernel, stride=recipe.stem_stride, padding=kernel // 2, bias=False
    )
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=conv, bn=nn.BatchNorm2d(width), relu=activation(recipe.stem_relu)
    )
    if imagenet:
        parts["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
    return nn.Sequential(parts)


def _block(recipe: ResNetRecipe, in_width: int, place: BlockPlace) -> tuple[nn.Module, int]:
    width, stride, out_width = place.width, place.stride, recipe.block_width(place.width)
    inner, outer = recipe.keeps_inner_relu(place.stage), recipe.keeps_outer_relu(place.stage)
    shortcut = _shortcut(recipe, in_width, out_width, stride)
    if recipe.block == "bottleneck":
        return Bottleneck(in_width, width, stride, shortcut, inner, outer), out_width
    if recipe.block_convs(place.stage, place.number) == 1:
        return SingleConvBlock(in_width, width, stride, shortcut, outer), out_width
    return BasicBlock(in_width, width, stride, shortcut, inner, outer), out_width


def _shortcut(recipe: ResNetRecipe, in_width: int, width: int, stride: int) -> nn.Module:
    if stride == 1 and in_width == width:
        return nn.Identity()
    if recipe.shortcut == "pad":
        return PadShortcut(in_width, width, stride)
    conv = nn.Conv2d(in_width, width, 1, stride=stride, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(width)))
