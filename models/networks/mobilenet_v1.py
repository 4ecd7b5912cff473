"""MobileNetV1 as a torch module. Module paths, and so the names of weights, stand in docs/recipes.md."""

from __future__ import annotations

from torch import Tensor, nn

from ..families.mobilenet_v1 import MobileNetV1Recipe
from .layers import activation, conv, conv_unit


class SeparableBlock(nn.Module):
    """relu2(bn2(pointwise(relu1(bn1(depthwise(x))))))."""

    def __init__(self, in_width: int, width: int, stride: int, relu1: nn.Module, relu2: nn.Module) -> None:
        super().__init__()
        self.depthwise = conv(in_width, in_width, 3, stride, groups=in_width)
        self.bn1 = nn.BatchNorm2d(in_width)
        self.relu1 = relu1
        self.pointwise = conv(in_width, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = relu2

    def forward(self, x: Tensor) -> Tensor:
        inner = self.relu1(self.bn1(self.depthwise(x)))
        out: Tensor = self.relu2(self.bn2(self.pointwise(inner)))
        return out


class MobileNetV1(nn.Module):
    """Logits (batch, classes) of images (batch, channels, height, width)."""

    def __init__(self, recipe: MobileNetV1Recipe) -> None:
        super().__init__()
        kind = recipe.activation
        in_width = recipe.scaled(recipe.stem_width)
        relu = activation(recipe.stem_relu, kind)
        self.stem = conv_unit(recipe.input_shape[0], in_width, 3, recipe.stem_stride, relu)
        stages = []
        for stage, (count, width) in enumerate(zip(recipe.blocks, recipe.scaled_widths, strict=True), 1):
            blocks = []
            for block in range(count):
                stride = recipe.stage_stride(stage) if block == 0 else 1
                relu1 = activation(recipe.keeps_inner_relu(stage), kind)
                relu2 = activation(recipe.keeps_outer_relu(stage), kind)
                blocks.append(SeparableBlock(in_width, width, stride, relu1, relu2))
                in_width = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(in_width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.flatten(self.pool(self.stages(self.stem(x)))))
        return logits
