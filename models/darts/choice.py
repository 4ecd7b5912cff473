"""The weights of the operators and sources of a cell, and the cell that they choose.

DARTS, and Sphynx with it, weighs the operators of each edge by a softmax and adds all edges of a node.
PC-DARTS (Xu et al., ICLR 2020) weighs the sources of a node by a second softmax, so that their weights add up
to 1. Here this softmax is the law of two draws without replacement, because a node reads two different
sources. A source has the probability to be one of the two as its weight, which is 1 at most. Expected costs
follow from these weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..families.sphynx import INPUT_COUNT, NODE_COUNT, OPERATORS

PLACE_COUNT = 2
"""The operators of a node."""

Costs = Mapping[str, Sequence[Sequence[float]]]
"""By kind of cell: the cost of each of `OPERATORS` on an input of the cell, and on a node."""


class CellChoice(nn.Module):
    """The weights of all operators on all sources of the nodes of one kind of cell. At first they are equal.

    Attributes:
        operators: parameter (edges, operators), in the order of `edge_places` and of `OPERATORS`.
        sources: parameter (edges,).

    >>> [tuple(of_node.shape) for of_node in CellChoice().weights()]
    [(2, 6), (3, 6), (4, 6), (5, 6)]
    """

    def __init__(self) -> None:
        super().__init__()
        count = sum(1 for _ in edge_places())
        self.operators = nn.Parameter(torch.zeros(count, len(OPERATORS)))
        self.sources = nn.Parameter(torch.zeros(count))

    def weights(self) -> list[Tensor]:
        """Returns the weights (sources, operators) of each node, which add up to 2.

        A weight is the probability that the node has the operator on the source.
        """
        counts = [INPUT_COUNT + node for node in range(NODE_COUNT)]
        return [
            drawn_pair(sources)[:, None] * operators.softmax(dim=1)
            for sources, operators in zip(
                torch.split(self.sources, counts), torch.split(self.operators, counts), strict=True
            )
        ]

    def cell(self) -> tuple[str, ...]:
        """Returns the cell of the heaviest operators, as a recipe has it.

        Each node reads the two sources whose heaviest operators are heaviest, and has these operators. Of
        equal weights, the first is taken.

        >>> choice = CellChoice()
        >>> choice.operators.data[0, OPERATORS.index("conv5")] = 1.0
        >>> choice.cell()[:2]
        ('conv5 0, skip 1', 'skip 0, skip 1')
        """
        texts = []
        for of_node in self.weights():
            heaviest, operators = of_node.detach().cpu().max(dim=1)
            ranked = sorted(range(len(heaviest)), key=lambda source: (-float(heaviest[source]), source))
            texts.append(
                ", ".join(
                    f"{OPERATORS[operators[source]]} {source}" for source in sorted(ranked[:PLACE_COUNT])
                )
            )
        return tuple(texts)


def drawn_pair(logits: Tensor) -> Tensor:
    """Returns the probability of each source to be one of two that are drawn without replacement.

    The first draw has the probabilities of a softmax, and the second one those of a softmax over the others.
    Of two sources, both have the probability 1.

    Args:
        logits: (sources,), two at least.

    >>> drawn_pair(torch.zeros(4)).tolist(), drawn_pair(torch.tensor([9.0, 0.0])).tolist()
    ([0.5, 0.5, 0.5, 0.5], [1.0, 1.0])
    """
    if len(logits) == PLACE_COUNT:
        return torch.ones_like(logits)
    taken = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    second = logits.expand(len(logits), -1).masked_fill(taken, -torch.inf).softmax(dim=1)
    first = logits.softmax(dim=0)
    return first + first @ second


def edge_places() -> Iterator[tuple[int, int]]:
    """Yields node and source of each edge of a relaxed cell. Sources are numbered as in a recipe.

    >>> list(edge_places())[:5]
    [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    """
    for node in range(NODE_COUNT):
        for source in range(INPUT_COUNT + node):
            yield node, source


def expected_cost(choices: Mapping[str, CellChoice], costs: Costs) -> Tensor:
    """Returns the expected cost of the operators of cells of which each node draws its sources and operators.

    Args:
        choices: the weights by kind of cell.

    >>> free, dear = [0.0] * 6, [0.0] * 5 + [6.0]
    >>> expected_cost({"normal": CellChoice()}, {"normal": [free, dear]}).item()  # 0 + 2/3 + 2/2 + 6/5
    2.866...
    """
    total = torch.zeros(())
    for kind, choice in choices.items():
        on_input, on_node = costs[kind]
        for of_node in choice.weights():
            rows = [on_input] * INPUT_COUNT + [on_node] * (len(of_node) - INPUT_COUNT)
            total = total.to(of_node) + (of_node * torch.tensor(rows).to(of_node)).sum()
    return total
