"""Layers that several networks of the literature share, and the arrangement of their blocks in stages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..counted_layers import BlockPlace
from ..recipe import Recipe


def activation(kept: bool, kind: str = "relu") -> nn.Module:
    """Returns a ReLU or ReLU6, or an identity if `kept` is False, so that names of weights stay the same.

    >>> activation(True, "relu6"), activation(False)
    (ReLU6(), Identity())
    """
    if not kept:
        return nn.Identity()
    return nn.ReLU6() if kind == "relu6" else nn.ReLU()


def conv(in_width: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Returns a convolution with a square kernel, without bias, padded so that stride 1 keeps the size.

    >>> import torch
    >>> conv(3, 8, 3, stride=2)(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 8, 4, 4])
    """
    return nn.Conv2d(in_width, width, kernel, stride, kernel // 2, groups=groups, bias=False)


def conv_unit(in_width: int, width: int, kernel: int, stride: int, relu: nn.Module) -> nn.Sequential:
    """Returns a convolution, a batch norm and the activation `relu`, as modules `conv`, `bn` and `relu`.

    >>> list(conv_unit(3, 8, 3, 1, nn.ReLU()).state_dict())[:2]
    ['conv.weight', 'bn.weight']
    """
    parts = OrderedDict(conv=conv(in_width, width, kernel, stride), bn=nn.BatchNorm2d(width), relu=relu)
    return nn.Sequential(parts)


class FactorizedReduction(nn.Module):
    """Halves the height and width: one convolution 1x1 reads the pixels at even places, another those at odd
    places, and a batch norm follows both (ENAS, Pham et al., ICML 2018).

    Args:
        trained: whether the batch norm has a scale and a shift.

    >>> FactorizedReduction(4, 6)(torch.zeros(1, 4, 7, 8)).shape
    torch.Size([1, 6, 4, 4])
    """

    def __init__(self, in_width: int, width: int, *, trained: bool = True) -> None:
        super().__init__()
        self.conv1 = conv(in_width, width - width // 2, 1, 2)
        self.conv2 = conv(in_width, width // 2, 1, 2)
        self.bn = nn.BatchNorm2d(width, affine=trained)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the output for a batch of maps (batch, channels, height, width)."""
        height, width = x.shape[2:]
        shifted = x[:, :, 1:, 1:]
        if height % 2 or width % 2:  # an odd side has one more pixel at an even place
            shifted = functional.pad(shifted, (0, width % 2, 0, height % 2))
        out: Tensor = self.bn(torch.cat([self.conv1(x), self.conv2(shifted)], dim=1))
        return out


def stages_of(
    recipe: Recipe, in_width: int, block: Callable[[int, BlockPlace], tuple[nn.Module, int]]
) -> tuple[nn.Sequential, int]:
    """Returns the stages of a network of blocks as modules, and the channels of their output.

    Args:
        in_width: the channels that the first block reads.
        block: makes the block at a place from the channels that it reads, and returns it with the channels
            of its output.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("resnet18-cifar100-12288")
    >>> stages, width = stages_of(recipe, 3, lambda before, place: (conv(before, 4, 3), 4))
    >>> [len(stage) for stage in stages], width
    ([2, 2, 2, 2], 4)
    """
    stages: list[list[nn.Module]] = [[] for _ in recipe.blocks]
    width = in_width
    for place in recipe.block_places():
        module, width = block(width, place)
        stages[place.stage - 1].append(module)
    return nn.Sequential(*(nn.Sequential(*blocks) for blocks in stages)), width
