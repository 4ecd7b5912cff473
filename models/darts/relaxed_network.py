"""A Sphynx network of which each node is a weighted sum of all operators on all earlier values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ..counted_layers import BlockPlace
from ..families.sphynx import INPUT_COUNT, NODE_COUNT, OPERATORS, Edge, SphynxRecipe
from ..networks.sphynx import Cell, Sphynx, cell_operator
from .choice import CellChoice


class RelaxedCell(Cell):
    """A cell of all operators on all sources, of which each node is the weighted sum.

    The batch norms of its operators have no scale and shift, as those of DARTS, so that weights alone tell
    how much an operator counts. A skip that keeps the size of the map has no batch norm, there as here, and
    counts as much as its source is large. `nodes` has the operators on each source, those for all nodes that
    read it side by side, because many small operators take longer than a few large ones.

    Attributes:
        kind: "reduction" for a cell that halves the map, otherwise "normal".
        weights: the weights (sources, operators) of each node. The network sets them; the cell has no
            parameters for them.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("sphynx-cifar100-25600")
    >>> cell = RelaxedCell(recipe, next(recipe.block_places()), 15, 15, halves_first=False)
    >>> cell.weights = CellChoice().weights()
    >>> cell.kind, cell(torch.zeros(1, 15, 8, 8), torch.zeros(1, 15, 8, 8)).shape
    ('reduction', torch.Size([1, 20, 4, 4]))
    """

    weights: Sequence[Tensor]

    def made_nodes(self, recipe: SphynxRecipe, place: BlockPlace) -> nn.ModuleList:
        """Returns the operators on each source."""
        self.kind, self._width = "reduction" if place.stride == 2 else "normal", place.width
        sources = nn.ModuleList()
        for source in range(INPUT_COUNT + NODE_COUNT - 1):
            stride = place.stride if source < INPUT_COUNT else 1
            count = NODE_COUNT - _first_reader(source)
            sources.append(
                nn.ModuleList(
                    cell_operator(Edge("", operator, source, stride), place.width, count, trained=False)
                    for operator in OPERATORS
                )
            )
        return sources

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """Returns the output for those of the two cells before, (batch, channels, height, width) each."""
        inputs, nodes = (self.input0(before), self.input1(last)), [torch.zeros(())] * NODE_COUNT
        for source in range(INPUT_COUNT + NODE_COUNT - 1):
            value = inputs[source] if source < INPUT_COUNT else nodes[source - INPUT_COUNT]
            for node, part in enumerate(self._read(source, value).unbind(dim=1), _first_reader(source)):
                nodes[node] = nodes[node] + part
        return self.joined(nodes)

    def _read(self, source: int, value: Tensor) -> Tensor:
        """Returns a source's parts in all nodes that read it, (batch, nodes, channels, height, width)."""
        weights = torch.stack([of_node[source] for of_node in self.weights[_first_reader(source) :]])
        total = torch.zeros(())
        for operator, of_nodes in zip(
            cast(nn.ModuleList, self.nodes[source]), weights.unbind(dim=1), strict=True
        ):
            each = operator(value).unflatten(1, (-1, self._width))
            total = total + of_nodes.reshape(-1, 1, 1, 1) * each
        return total


def _first_reader(source: int) -> int:
    """Returns the first node that can read a source. All later nodes can read it too."""
    return max(0, source - INPUT_COUNT + 1)


class RelaxedSphynx(Sphynx):
    """A relaxed network: all cells of a kind have the same weights.

    Attributes:
        choices: the `CellChoice` of each kind of cell that the network has.

    >>> from pi_bench.models import load_recipe
    >>> with torch.device("meta"):
    ...     network = RelaxedSphynx(load_recipe("sphynx-cifar100-25600"))
    >>> sorted(network.choices), network(torch.empty(2, 3, 32, 32, device="meta")).shape
    (['normal', 'reduction'], torch.Size([2, 100]))
    """

    cell_class: ClassVar[type[Cell]] = RelaxedCell

    def __init__(self, recipe: SphynxRecipe) -> None:
        super().__init__(recipe)
        self._cells = [part for part in self.modules() if isinstance(part, RelaxedCell)]
        self.choices = nn.ModuleDict({kind: CellChoice() for kind in sorted({c.kind for c in self._cells})})

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (batch, classes) of images (batch, channels, height, width)."""
        weights = {kind: cast(CellChoice, choice).weights() for kind, choice in self.choices.items()}
        for cell in self._cells:
            cell.weights = weights[cell.kind]
        return super().forward(x)

    def cells(self) -> dict[str, tuple[str, ...]]:
        """Returns the cells that the weights choose, by kind."""
        return {kind: cast(CellChoice, choice).cell() for kind, choice in self.choices.items()}
