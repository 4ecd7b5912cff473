"""The space of Sphynx (Cho et al., IEEE Security & Privacy, 2022): two cells, and where maps are halved.

A cell has four nodes, each the sum of two operators that read different values: one of the inputs or an
earlier node. One cell is that of all places that keep the size of the map, the other one that of all that
halve it. These places, and the number of cells, are part of the architecture. In the paper a second search
finds the places, among those with no more than two thirds of the cells before them. So it is here: of three
cells, the last one may halve the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from ..families.sphynx import INPUT_COUNT, NODE_COUNT, OPERATORS, SphynxRecipe
from .space import GROWTH, Space

Node = tuple[tuple[str, int], tuple[str, int]]
"""Operator and source of both parts of a node, the lower source first."""

_SMALLEST: tuple[Node, ...] = ((("skip", 0), ("skip", 1)),) * NODE_COUNT
_STEM_GROWTH = {"cifar": 3, "imagenet": 1}  # of the published networks


class SphynxSpace(Space[SphynxRecipe]):
    """The space of Sphynx, as `Space`.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.architectures.settings import NasSettings
    >>> space = SphynxSpace(load_recipe("sphynx-cifar100-25600"), NasSettings())
    >>> smallest = space.smallest()
    >>> space.words(smallest).partition(";")[0], smallest.blocks, smallest.widths
    ('3 cells, halved at 0 1', (1, 2), (8, 32))
    """

    name = "sphynx"
    unit = "cells"
    network = "sphynx"

    @property
    def reduction_count(self) -> int:
        """The number of stages that begin with a reduction cell."""
        return self.base.strides.count(2)

    @property
    def stem_growth(self) -> int:
        """The channels of the stem as a multiple of the width."""
        return _STEM_GROWTH[self.base.stem]

    @property
    def fewest_layers(self) -> int:
        """The least number of cells that has places for the reductions, and one cell of the other kind."""
        count = self.reduction_count + 1
        while _last_place(count) + 1 < self.reduction_count:
            count += 1
        return count

    def smallest(self) -> SphynxRecipe:
        """Returns the architecture of the fewest cells, whose operators are skips, halved at once."""
        return self._of(
            _SMALLEST, self._reducing(_SMALLEST), self.settings.least_layers, range(self.reduction_count)
        )

    def cheap(self) -> Iterator[SphynxRecipe]:
        """Yields the smallest architecture, and then others with as many ReLUs that may take less time.

        In a reduction cell a skip from an input is a factorized reduction, which has weights. So another
        operator may take less time, or nodes that read nodes. Later reductions leave fewer weights.
        """
        places = range(_last_place(self.settings.least_layers) + 1)
        for chosen in combinations(places, self.reduction_count):
            yield from self._cheap_cells(self.settings.least_layers, chosen)

    def cheap_like_base(self) -> Iterator[SphynxRecipe]:
        """Yields architectures as `cheap` does, with as many cells and the same reductions as the base."""
        yield from self._cheap_cells(self.layer_count(self.base), _reductions(self.base))

    def drawn(self, generator: np.random.Generator) -> SphynxRecipe:
        """Returns an architecture at random."""
        count = int(generator.integers(self.settings.least_layers, self.settings.most_layers + 1))
        normal, reducing = (tuple(map(lambda n: _node(n, generator), range(NODE_COUNT))) for _ in range(2))
        return self._of(normal, self._reducing(reducing), count, self._places(count, generator))

    def mutated(self, architecture: SphynxRecipe, generator: np.random.Generator) -> SphynxRecipe:
        """Returns the architecture with another operator or source in one cell, with one cell more or less,
        or halved at other places."""
        normal, reducing = (_nodes(cell) for cell in (architecture.normal_cell, architecture.reduction_cell))
        count, places = self.layer_count(architecture), _reductions(architecture)
        changes = ["normal", "reducing"] if self.reduction_count else ["normal"]
        if count < self.settings.most_layers:
            changes.append("longer")
        if count > self.settings.least_layers:
            changes.append("shorter")
        if 0 < self.reduction_count < _last_place(count) + 1:
            changes.append("places")
        change = changes[int(generator.integers(len(changes)))]
        if change == "normal":
            normal = _other_cell(normal, generator)
        elif change == "reducing":
            reducing = _other_cell(reducing, generator)
        elif change == "places":
            places = self._other_places(places, count, generator)
        else:
            count += 1 if change == "longer" else -1
            if places and places[-1] > _last_place(count):
                places = self._places(count, generator)
        return self._of(normal, reducing, count, places)

    def with_cells(self, cells: Mapping[str, Sequence[str]]) -> SphynxRecipe:
        """Returns the architecture with as many cells and reductions at the same places as the base network.

        Args:
            cells: the texts of the nodes of each kind of cell, "normal" and "reduction". A kind that is not
                there is that of `smallest`.

        >>> from pi_bench.models import load_recipe
        >>> from pi_bench.models.architectures.settings import NasSettings
        >>> space = SphynxSpace(load_recipe("sphynx-cifar100-40960"), NasSettings())
        >>> space.words(space.with_cells({})).partition(";")[0]
        '8 cells, halved at 1 3'
        """
        normal, reducing = (
            _nodes(cells[kind]) if kind in cells else _SMALLEST for kind in ("normal", "reduction")
        )
        count, places = self.layer_count(self.base), _reductions(self.base)
        return self._of(normal, self._reducing(reducing), count, places)

    def words(self, architecture: SphynxRecipe) -> str:
        """Returns the number of cells, the cells that halve maps, from 0, and both cells."""
        places = " ".join(map(str, _reductions(architecture))) or "none"
        cells = (
            f"{name} cell {', '.join(f'({node})' for node in cell)}"
            for name, cell in (
                ("normal", architecture.normal_cell),
                ("reduction", architecture.reduction_cell),
            )
        )
        return f"{self.layer_count(architecture)} cells, halved at {places}; {'; '.join(cells)}"

    def with_width(self, architecture: SphynxRecipe, width: int) -> SphynxRecipe:
        """Returns the architecture whose channels are `width` times those of width 1."""
        widths, channels = [], width
        for stride in architecture.strides:
            channels *= GROWTH if stride == 2 else 1
            widths.append(channels)
        return self._named(architecture, widths=tuple(widths), stem_width=width * self.stem_growth)

    def _of(
        self, normal: Sequence[Node], reducing: Sequence[Node], count: int, places: Sequence[int]
    ) -> SphynxRecipe:
        starts = sorted({0, *places})
        shape = self._named(
            self.base,
            blocks=tuple(after - before for before, after in pairwise([*starts, count])),
            strides=tuple(2 if start in places else 1 for start in starts),
            widths=(self.least_width,) * len(starts),
            normal_cell=_texts(normal),
            reduction_cell=_texts(reducing),
        )
        return self.with_width(shape, self.least_width)

    def _cheap_cells(self, count: int, places: Sequence[int]) -> Iterator[SphynxRecipe]:
        for reducing in _cheap_reductions() if places else [self._reducing(_SMALLEST)]:
            yield self._of(_SMALLEST, reducing, count, places)

    def _reducing(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """Returns `nodes`, or the cell of the base network if no cell halves maps."""
        return nodes if self.reduction_count else _nodes(self.base.reduction_cell)

    def _places(self, count: int, generator: np.random.Generator) -> tuple[int, ...]:
        found = generator.choice(_last_place(count) + 1, self.reduction_count, replace=False)
        return tuple(sorted(map(int, found)))

    def _other_places(
        self, places: tuple[int, ...], count: int, generator: np.random.Generator
    ) -> tuple[int, ...]:
        """Moves one reduction to another cell."""
        free = [place for place in range(_last_place(count) + 1) if place not in places]
        moved = int(generator.integers(len(places)))
        to = free[int(generator.integers(len(free)))]
        return tuple(sorted((*places[:moved], to, *places[moved + 1 :])))


def _last_place(count: int) -> int:
    """Returns the last of `count` cells that may halve the map."""
    return min(2 * count // 3, count - 1)


def _cheap_reductions() -> Iterator[tuple[Node, ...]]:
    """Yields reduction cells with one operator on inputs: on both in each node, or as seldom as possible."""
    for operator in OPERATORS:
        both: Node = ((operator, 0), (operator, 1))
        yield (both,) * NODE_COUNT
        later: Node = (("skip", INPUT_COUNT), ("skip", INPUT_COUNT + 1))
        yield (both, ((operator, 0), ("skip", INPUT_COUNT)), *[later] * (NODE_COUNT - 2))


def _node(number: int, generator: np.random.Generator) -> Node:
    """Draws the node `number` of a cell."""
    sources = sorted(map(int, generator.choice(INPUT_COUNT + number, 2, replace=False)))
    first, second = (str(generator.choice(OPERATORS)) for _ in range(2))
    return (first, sources[0]), (second, sources[1])


def _other_cell(nodes: Sequence[Node], generator: np.random.Generator) -> tuple[Node, ...]:
    """Changes one operator or one source of a cell."""
    number, part = int(generator.integers(NODE_COUNT)), int(generator.integers(2))
    pair = list(nodes[number])
    operator, source = pair[part]
    free = [value for value in range(INPUT_COUNT + number) if value not in (pair[0][1], pair[1][1])]
    if free and generator.random() < 0.5:
        pair[part] = (operator, free[int(generator.integers(len(free)))])
    else:
        others = [name for name in OPERATORS if name != operator]
        pair[part] = (others[int(generator.integers(len(others)))], source)
    first, second = sorted(pair, key=lambda edge: edge[1])
    return (*nodes[:number], (first, second), *nodes[number + 1 :])


def _texts(nodes: Sequence[Node]) -> tuple[str, ...]:
    return tuple(", ".join(f"{operator} {source}" for operator, source in pair) for pair in nodes)


def _nodes(cell: Sequence[str]) -> tuple[Node, ...]:
    found = []
    for text in cell:
        parts = [part.split() for part in text.split(",")]
        first, second = sorted(((operator, int(source)) for operator, source in parts), key=lambda e: e[1])
        found.append((first, second))
    return tuple(found)


def _reductions(architecture: SphynxRecipe) -> tuple[int, ...]:
    """Returns the numbers of the cells that halve maps, from 0."""
    places, start = [], 0
    for count, stride in zip(architecture.blocks, architecture.strides, strict=True):
        if stride == 2:
            places.append(start)
        start += count
    return tuple(places)
