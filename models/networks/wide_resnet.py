"""Wide residual networks as torch modules. Names of weights stand in docs/recipes.md."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from ..families.wide_resnet import WideResNetRecipe
from .layers import activation, conv


class WideBlock(nn.Module):
    """conv2(relu2(bn2(conv1(y)))) + shortcut, where y = relu1(bn1(x)).

    The shortcut is x, or a convolution of y where the shape changes.
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
        y = self.relu1(self.bn1(x))
        out: Tensor = self.conv2(self.relu2(self.bn2(self.conv1(y))))
        return out + (self.shortcut(y) if self.projects else x)


class WideResNet(nn.Module):
    """Logits (batch, classes) of images (batch, channels, height, width)."""

    def __init__(self, recipe: WideResNetRecipe) -> None:
        super().__init__()
        in_width = recipe.scaled(recipe.stem_width)
        self.stem = conv(recipe.input_shape[0], in_width, 3, recipe.stem_stride)
        stages = []
        for stage, (count, width) in enumerate(zip(recipe.blocks, recipe.scaled_widths, strict=True), 1):
            blocks = []
            for block in range(count):
                stride = recipe.stage_stride(stage) if block == 0 else 1
                relu1 = activation(recipe.keeps_inner_relu(stage))
                relu2 = activation(recipe.keeps_outer_relu(stage))
                blocks.append(WideBlock(in_width, width, stride, relu1, relu2))
                in_width = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            OrderedDict(bn=nn.BatchNorm2d(in_width), relu=activation(recipe.keeps_head_relu))
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(in_width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(self.stages(self.stem(x)))
        logits: Tensor = self.classifier(self.flatten(self.pool(features)))
        return logits
