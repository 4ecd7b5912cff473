"""Sphynx networks as torch modules. docs/recipes.md lists the names of weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ..counted_layers import BlockPlace
from ..families.sphynx import INPUT_COUNT, NODE_COUNT, Edge, SphynxRecipe
from .layers import FactorizedReduction, activation, conv, conv_unit


class Cell(nn.Module):
    """A cell: two inputs, four nodes that each add two operators, and one ReLU after their concatenation.

    Args:
        before_width: the channels of the output of the cell before the last.
        last_width: the channels of the output of the last cell.
        halves_first: whether the map of the cell before the last is twice as large as that of the last cell.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("sphynx-cifar100-25600")
    >>> place = next(recipe.block_places())
    >>> x = torch.zeros(1, 15, 8, 8)
    >>> Cell(recipe, place, 15, 15, halves_first=False)(x, x).shape
    torch.Size([1, 20, 4, 4])
    """

    def __init__(
        self,
        recipe: SphynxRecipe,
        place: BlockPlace,
        before_width: int,
        last_width: int,
        *,
        halves_first: bool,
    ) -> None:
        super().__init__()
        width = place.width
        self.input0 = (
            FactorizedReduction(before_width, width, trained=False)
            if halves_first
            else _plain(before_width, width)
        )
        self.input1 = _plain(last_width, width)
        self.nodes = self.made_nodes(recipe, place)
        self.output = _plain(NODE_COUNT * width, width)
        self.relu = activation(recipe.keeps_relu(place.stage, place.number))

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """Returns the output for those of the two cells before, (batch, channels, height, width) each."""
        values = [self.input0(before), self.input1(last)]
        for node, (first, second) in zip(self.nodes, self._sources, strict=True):
            one, other = cast(nn.ModuleList, node)
            values.append(one(values[first]) + other(values[second]))
        return self.joined(values[INPUT_COUNT:])

    def joined(self, nodes: Sequence[Tensor]) -> Tensor:
        """Returns the output of the cell for the values of its nodes."""
        out: Tensor = self.relu(self.output(torch.cat(list(nodes), dim=1)))
        return out

    def made_nodes(self, recipe: SphynxRecipe, place: BlockPlace) -> nn.ModuleList:
        """Returns the operators of each node."""
        edges = recipe.edges(place.stride)
        self._sources = [tuple(edge.source for edge in pair) for pair in edges]
        return nn.ModuleList(
            nn.ModuleList(cell_operator(edge, place.width) for edge in pair) for pair in edges
        )


class Sphynx(nn.Module):
    """A Sphynx network as a torch module. The module paths are those of the recipe's layers.

    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = Sphynx(load_recipe("sphynx-cifar100-25600"))
    >>> network(torch.empty(2, 3, 32, 32, device="meta")).shape
    torch.Size([2, 100])
    """

    cell_class: ClassVar[type[Cell]] = Cell

    def __init__(self, recipe: SphynxRecipe) -> None:
        super().__init__()
        units, width = [], recipe.input_shape[0]
        for _, out_width, stride, relu in recipe.stem_convs():
            units.append(conv_unit(width, out_width, 3, stride, activation(relu and recipe.stem_relu)))
            width = out_width
        self.stem: nn.Module = units[0] if len(units) == 1 else nn.ModuleList(units)
        self.stages = nn.ModuleList(nn.ModuleList() for _ in recipe.blocks)
        before, halved = width, len(units) > 1
        for place in recipe.block_places():
            cell = self.cell_class(recipe, place, before, width, halves_first=halved)
            cast(nn.ModuleList, self.stages[place.stage - 1]).append(cell)
            before, width, halved = width, place.width, place.stride == 2
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(width, recipe.class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        before, last = self._stem(x)
        for stage in self.stages:
            for cell in cast(nn.ModuleList, stage):
                before, last = last, cell(before, last)
        logits: Tensor = self.classifier(self.flatten(self.pool(last)))
        return logits

    def _stem(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the inputs of the first cell. That of the cell before the last has no ReLU."""
        if not isinstance(self.stem, nn.ModuleList):
            value = self.stem(x)
            return value, value
        first, second, third = self.stem
        convolution, norm, relu = cast(nn.Sequential, second)
        before = norm(convolution(first(x)))
        return before, third(relu(before))


def _plain(in_width: int, width: int) -> nn.Sequential:
    """Makes a convolution 1x1 and a batch norm without scale and shift."""
    return nn.Sequential(OrderedDict(conv=conv(in_width, width, 1), bn=nn.BatchNorm2d(width, affine=False)))


def cell_operator(edge: Edge, width: int, count: int = 1, *, trained: bool = True) -> nn.Module:
    """Returns the operator of an edge, for maps of `width` channels.

    Args:
        count: as many operators with weights of their own read the map. Their outputs lie side by side.
            Operators without weights are there once.
        trained: whether its batch norms have a scale and a shift.

    >>> operator = cell_operator(Edge("nodes.0.0", "conv3", 0, 2), 4, count=3)
    >>> list(operator.state_dict())[:2], operator(torch.zeros(1, 4, 8, 8)).shape
    (['conv1.weight', 'bn1.weight'], torch.Size([1, 12, 4, 4]))
    """
    if edge.operator == "skip":
        if edge.stride == 1:
            return nn.Identity()
        reductions = [FactorizedReduction(width, width, trained=trained) for _ in range(count)]
        return reductions[0] if count == 1 else SideBySide(reductions)
    wide = count * width
    if edge.operator == "avg3":
        pool = nn.AvgPool2d(3, edge.stride, padding=1, count_include_pad=False)
        return nn.Sequential(OrderedDict(pool=pool, bn=nn.BatchNorm2d(width, affine=trained)))
    if edge.operator.startswith("dil"):
        reach = 2 * (edge.kernel // 2)
        dilated = nn.Conv2d(width, wide, edge.kernel, edge.stride, reach, dilation=2, bias=False)
        return nn.Sequential(OrderedDict(conv=dilated, bn=nn.BatchNorm2d(wide, affine=trained)))
    first, second = conv(width, wide, edge.kernel, edge.stride), conv(wide, wide, edge.kernel, groups=count)
    return nn.Sequential(
        OrderedDict(
            conv1=first,
            bn1=nn.BatchNorm2d(wide, affine=trained),
            conv2=second,
            bn2=nn.BatchNorm2d(wide, affine=trained),
        )
    )


class SideBySide(nn.ModuleList):
    """Modules that read one map, and whose outputs lie side by side.

    >>> SideBySide([nn.Identity(), nn.Identity()])(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 8, 8, 8])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Returns the outputs, (batch, channels of all, height, width)."""
        return torch.cat([part(x) for part in self], dim=1)
