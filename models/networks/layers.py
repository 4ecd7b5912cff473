"""Layers that several networks of the literature share."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def activation(kept: bool, kind: str = "relu") -> nn.Module:
    """A ReLU or ReLU6; an identity where none is kept, so that names of weights do not depend on it."""
    if not kept:
        return nn.Identity()
    return nn.ReLU6() if kind == "relu6" else nn.ReLU()


def conv(in_width: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A square kernel without bias, padded so that stride 1 keeps the size."""
    return nn.Conv2d(in_width, width, kernel, stride, kernel // 2, groups=groups, bias=False)


def conv_unit(in_width: int, width: int, kernel: int, stride: int, relu: nn.Module) -> nn.Sequential:
    """Convolution, batch norm and what follows, as modules `conv`, `bn` and `relu`."""
    parts = OrderedDict(conv=conv(in_width, width, kernel, stride), bn=nn.BatchNorm2d(width), relu=relu)
    return nn.Sequential(parts)
