"""MobileNetV2 as a torch module. Module paths, and so the names of weights, stand in docs/recipes.md."""

from __future__ import annotations

from torch import Tensor, nn

from ..families.mobilenet_v2 import MobileNetV2Recipe
from .layers import activation, conv, conv_unit


class InvertedResidual(nn.Module):
    """bn3(project(relu2(bn2(depthwise(relu1(bn1(expand(x)))))))), plus x where the shape stays."""

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
        inner = self.relu1(self.bn1(self.expand(x))) if self.expands else x
        inner = self.relu2(self.bn2(self.depthwise(inner)))
        out: Tensor = self.bn3(self.project(inner))
        return out + x if self.adds else out


class MobileNetV2(nn.Module):
    """Logits (batch, classes) of images (batch, channels, height, width)."""

    def __init__(self, recipe: MobileNetV2Recipe) -> None:
        super().__init__()
        kind = recipe.activation
        in_width = recipe.scaled(recipe.stem_width)
        relu = activation(recipe.stem_relu, kind)
        self.stem = conv_unit(recipe.input_shape[0], in_width, 3, recipe.stem_stride, relu)
        stages = []
        for stage, (count, width) in enumerate(zip(recipe.blocks, recipe.scaled_widths, strict=True), 1):
            kept, expansion = recipe.keeps_inner_relu(stage), recipe.stage_expansion(stage)
            blocks = []
            for block in range(count):
                stride = recipe.stage_stride(stage) if block == 0 else 1
                blocks.append(InvertedResidual(in_width, width, stride, expansion, kept, kind))
                in_width = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        width = recipe.scaled(recipe.head_width)
        relu = activation(recipe.keeps_inner_relu(recipe.stage_count), kind)
        self.head = conv_unit(in_width, width, 1, 1, relu)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(self.stages(self.stem(x)))
        logits: Tensor = self.classifier(self.flatten(self.pool(features)))
        return logits
