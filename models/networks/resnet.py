"""Residual networks as torch modules. A ReLU that a recipe removes is an Identity.

He et al., CVPR 2016: 1x1 convolution and batch norm on the shortcut where a block changes the shape,
global average pooling, one fully connected layer. Bottleneck blocks have their stride at the 3x3
convolution, as the public ImageNet weights do. Module paths, and so the names of weights, stand in
docs/recipes.md.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from ..families.resnet import EXPANSION, ResNetRecipe
from .layers import activation


class PadShortcut(nn.Module):
    """Every `stride`-th pixel, and channels of zeros before and behind. It has no weights."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        before = (width - in_width) // 2
        self.channels = (before, width - in_width - before)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        pixels = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(pixels, (0, 0, 0, 0, *self.channels))


class BasicBlock(nn.Module):
    """relu2(bn2(conv2(relu1(bn1(conv1(x))))) + shortcut(x))."""

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
        inner = self.relu1(self.bn1(self.conv1(x)))
        out: Tensor = self.relu2(self.bn2(self.conv2(inner)) + self.shortcut(x))
        return out


class SingleConvBlock(nn.Module):
    """relu1(bn1(conv1(x)) + shortcut(x)): the first block of DeepReDuce's ResNet9."""

    def __init__(self, in_width: int, width: int, stride: int, shortcut: nn.Module, outer_relu: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_width, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.shortcut = shortcut
        self.relu1 = activation(outer_relu)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu1(self.bn1(self.conv1(x)) + self.shortcut(x))
        return out


class Bottleneck(nn.Module):
    """relu3(bn3(conv3(relu2(bn2(conv2(relu1(bn1(conv1(x)))))))) + shortcut(x)): 1x1, 3x3, 1x1."""

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
        inner = self.relu1(self.bn1(self.conv1(x)))
        inner = self.relu2(self.bn2(self.conv2(inner)))
        out: Tensor = self.relu3(self.bn3(self.conv3(inner)) + self.shortcut(x))
        return out


class ResNet(nn.Module):
    """Logits (batch, classes) of images (batch, channels, height, width)."""

    def __init__(self, recipe: ResNetRecipe) -> None:
        super().__init__()
        width = recipe.scaled_widths[0]
        self.stem = _stem(recipe, width)
        stages = []
        for stage, (count, inner_width) in enumerate(
            zip(recipe.blocks, recipe.scaled_widths, strict=True), 1
        ):
            blocks = []
            for block in range(count):
                blocks.append(_block(recipe, stage, block, width))
                width = recipe.block_width(inner_width)
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
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


def _block(recipe: ResNetRecipe, stage: int, block: int, in_width: int) -> nn.Module:
    width = recipe.scaled_widths[stage - 1]
    stride = recipe.stage_stride(stage) if block == 0 else 1
    inner, outer = recipe.keeps_inner_relu(stage), recipe.keeps_outer_relu(stage)
    shortcut = _shortcut(recipe, in_width, recipe.block_width(width), stride)
    if recipe.block == "bottleneck":
        return Bottleneck(in_width, width, stride, shortcut, inner, outer)
    if recipe.block_convs(stage, block) == 1:
        return SingleConvBlock(in_width, width, stride, shortcut, outer)
    return BasicBlock(in_width, width, stride, shortcut, inner, outer)


def _shortcut(recipe: ResNetRecipe, in_width: int, width: int, stride: int) -> nn.Module:
    if stride == 1 and in_width == width:
        return nn.Identity()
    if recipe.shortcut == "pad":
        return PadShortcut(in_width, width, stride)
    conv = nn.Conv2d(in_width, width, 1, stride=stride, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(width)))
