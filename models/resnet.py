"""The residual networks that recipes describe, as torch modules. A ReLU that a recipe removes is an Identity.

He et al., CVPR 2016, basic blocks, as used for CIFAR: a 3x3 stem without max-pool, 1x1 convolution
and batch norm on the shortcut where a block changes the shape, global average pooling, one fully
connected layer. Module paths, and so the names of weights, stand in docs/recipes.md.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from .recipe import Recipe


class BasicBlock(nn.Module):
    """relu2(bn2(conv2(relu1(bn1(conv1(x))))) + shortcut(x))."""

    def __init__(self, in_width: int, width: int, stride: int, inner_relu: bool, outer_relu: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_width, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = _activation(inner_relu)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_width != width:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(in_width, width, 1, stride=stride, bias=False), bn=nn.BatchNorm2d(width)
                )
            )
        self.relu2 = _activation(outer_relu)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.relu1(self.bn1(self.conv1(x)))
        out: Tensor = self.relu2(self.bn2(self.conv2(inner)) + self.shortcut(x))
        return out


class ResNet(nn.Module):
    """Logits (batch, classes) of images (batch, channels, height, width)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        width, *_ = recipe.scaled_widths
        channels = recipe.input_shape[0]
        self.stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(channels, width, 3, stride=recipe.stem_stride, padding=1, bias=False),
                bn=nn.BatchNorm2d(width),
                relu=_activation(recipe.stem_relu),
            )
        )
        stages = []
        for stage, (count, out_width) in enumerate(zip(recipe.blocks, recipe.scaled_widths, strict=True), 1):
            blocks = []
            for block in range(count):
                stride = recipe.stage_stride(stage) if block == 0 else 1
                inner, outer = recipe.keeps_inner_relu(stage), recipe.keeps_outer_relu(stage)
                blocks.append(BasicBlock(width, out_width, stride, inner, outer))
                width = out_width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.flatten(self.pool(self.stages(self.stem(x)))))
        return logits


def build(recipe: Recipe, device: torch.device | str = "cpu") -> nn.Module:
    """The recipe's network in evaluation mode; weights as torch initializes them (global generator)."""
    with torch.device(device):
        return ResNet(recipe).eval()


def _activation(kept: bool) -> nn.Module:
    return nn.ReLU() if kept else nn.Identity()
