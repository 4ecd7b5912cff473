"""Sphynx (Cho et al., IEEE Security & Privacy, 2022): cells found by DARTS, with one ReLU each.

stem     cifar     conv 3x3 · batch norm · ReLU, which the published networks do not have
         imagenet  conv 3x3, stride 2 · batch norm · ReLU · conv 3x3, stride 2 · batch norm; the first cell
                   reads this output, and that of a further ReLU · conv 3x3, stride 2 · batch norm
stage    cells; the first one halves the map if the stage's stride is 2
  cell   reads the outputs of the two cells before, each through conv 1x1 · batch norm; four nodes, each the
         sum of two operators without ReLU; their concatenation · conv 1x1 · batch norm · ReLU
head     global average · fully connected

The published networks multiply the channels by four where a cell halves the map, so that every cell has as
many ReLUs. The batch norms of a cell's inputs and output have no scale and shift, as in the public code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pi_bench.shape import Shape

from .. import recipe_keys
from ..counted_layers import BlockPlace, OperatorKind, Sketch
from ..recipe import Recipe
from ..recipe_keys import Key

INPUT_COUNT = 2
NODE_COUNT = 4
OPERATORS = ("skip", "conv3", "conv5", "dil3", "dil5", "avg3")
_NORMAL = ("skip 0, skip 1", "skip 2, dil5 0", "conv5 2, dil3 0", "conv3 1, skip 2")
_REDUCTION = ("conv3 0, conv3 1", "skip 0, conv3 2", "dil3 0, skip 2", "conv5 0, skip 4")


@dataclass(frozen=True, slots=True)
class Edge:
    """An operator of a cell.

    Attributes:
        path: its path in the cell.
        operator: "skip", "conv3" or "conv5" (two convolutions), "dil3" or "dil5" (one with dilation 2), or
            "avg3".
        source: the value that it reads: 0 and 1 are the inputs of the cell, 2 to 4 the nodes before.
        stride: its stride.

    >>> Edge("nodes.1.1", "dil5", 0, 2).kernel
    5
    """

    path: str
    operator: str
    source: int
    stride: int

    @property
    def kernel(self) -> int:
        """The size of its kernels."""
        return 1 if self.operator == "skip" else int(self.operator[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class SphynxRecipe(Recipe):
    """A recipe of a Sphynx network. `blocks` counts cells; a stage of stride 2 begins with a reduction cell.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("sphynx-cifar100-25600")
    >>> recipe.blocks, recipe.widths, recipe.strides
    ((1, 4), (20, 80), (2, 2))
    """

    family: ClassVar[str] = "sphynx"
    family_keys: ClassVar[Mapping[str, Key]] = {
        "blocks": recipe_keys.a_stage_each(1, recipe_keys.MAX_COUNT),
        "widths": recipe_keys.a_stage_each(1, recipe_keys.MAX_WIDTH),
        "strides": recipe_keys.a_stage_each(1, 2),
        "stem": recipe_keys.choice("cifar", "imagenet"),
        "stem_width": recipe_keys.whole(1, recipe_keys.MAX_WIDTH),
        "normal_cell": recipe_keys.texts(),
        "reduction_cell": recipe_keys.texts(),
    }
    can_merge: ClassVar[bool] = False
    least_width: ClassVar[int] = 2  # a factorized reduction has two halves

    strides: tuple[int, ...]
    stem_width: int
    stem: str = "cifar"
    normal_cell: tuple[str, ...] = _NORMAL
    reduction_cell: tuple[str, ...] = _REDUCTION

    @property
    def other_widths(self) -> tuple[int, ...]:
        """The widths of layers outside the stages, before channel scaling."""
        return (self.stem_width,)

    @property
    def total_stride(self) -> int:
        """The factor by which the last stage's maps are smaller than the input."""
        return self.stem_stride * (8 if self.stem == "imagenet" else 1) * math.prod(self.strides)

    def stage_stride(self, stage: int) -> int:
        """Returns the stride of the first cell of `stage`."""
        return self.strides[stage - 1]

    def stem_convs(self) -> tuple[tuple[str, int, int, bool], ...]:
        """Returns path, width, stride and whether a ReLU follows, of each convolution of the stem."""
        width = self.scaled(self.stem_width)
        if self.stem == "cifar":
            return (("stem", width, self.stem_stride, True),)
        return (
            ("stem.0", max(1, width // 2), 2 * self.stem_stride, True),
            ("stem.1", width, 2, True),
            ("stem.2", width, 2, False),
        )

    def edges(self, stride: int) -> list[tuple[Edge, Edge]]:
        """Returns the operators of the four nodes of a cell of that stride."""
        nodes = []
        for node, text in enumerate(self.reduction_cell if stride == 2 else self.normal_cell):
            pair = []
            for number, part in enumerate(text.split(",")):
                operator, source = part.split()
                step = stride if int(source) < INPUT_COUNT else 1
                pair.append(Edge(f"nodes.{node}.{number}", operator, int(source), step))
            nodes.append((pair[0], pair[1]))
        return nodes

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yields a key and a description of its fault for values that do not go together."""
        for key in ("normal_cell", "reduction_cell"):
            fault = cell_fault(getattr(self, key))
            if fault:
                yield key, fault
                return
        if len(self.strides) != len(self.blocks):
            yield (
                "strides",
                f"has {len(self.strides)} entries, 'blocks' has {len(self.blocks)}: one per stage",
            )
            return
        yield from super(SphynxRecipe, self).problems()

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        values: list[Shape] = []
        for path, width, stride, relu in self.stem_convs():
            sketch.conv(f"{path}.conv", width, 3, stride)
            sketch.norm(f"{path}.bn")
            values.append(sketch.shape)
            if relu:
                sketch.relu(f"{path}.relu", self.stem_relu)
        before, last = values[-2:] if len(values) > 1 else values * 2
        for place in self.block_places():
            sketch.stage = place.stage
            before, last = last, self._cell(sketch, place, before, last)
        sketch.stage = 0
        sketch.global_pool("pool")
        sketch.linear("classifier", self.class_count)
        return sketch

    def _cell(self, sketch: Sketch, place: BlockPlace, before: Shape, last: Shape) -> Shape:
        path, width = place.path, place.width
        sketch.shape = before
        if before[1:] == last[1:]:
            sketch.conv(f"{path}.input0.conv", width, 1, kind=OperatorKind.SHORTCUT)
            sketch.norm(f"{path}.input0.bn", trained=False)
        else:
            sketch.factorized_reduction(f"{path}.input0", width, kind=OperatorKind.SHORTCUT, trained=False)
        sketch.shape = last
        sketch.conv(f"{path}.input1.conv", width, 1)
        sketch.norm(f"{path}.input1.bn", trained=False)
        read = sketch.shape
        for edge in (edge for pair in self.edges(place.stride) for edge in pair):
            halved = tuple((side - 1) // place.stride + 1 for side in read[1:])
            sketch.shape = read if edge.source < INPUT_COUNT else (width, *halved)
            _operate(sketch, f"{path}.{edge.path}", edge, width)
        sketch.shape = (NODE_COUNT * width, *sketch.shape[1:])
        sketch.conv(f"{path}.output.conv", width, 1)
        sketch.norm(f"{path}.output.bn", trained=False)
        sketch.relu(f"{path}.relu", self.keeps_relu(place.stage, place.number))
        return sketch.shape


def _operate(sketch: Sketch, path: str, edge: Edge, width: int) -> None:
    if edge.operator == "skip":
        if edge.stride == 2:
            sketch.factorized_reduction(path, width)
    elif edge.operator == "avg3":
        sketch.overlapping_pool(f"{path}.pool", edge.stride, OperatorKind.POOL)
        sketch.norm(f"{path}.bn")
    elif edge.operator.startswith("dil"):
        sketch.conv(f"{path}.conv", width, edge.kernel, edge.stride)
        sketch.norm(f"{path}.bn")
    else:
        for number, stride in enumerate((edge.stride, 1), 1):
            sketch.conv(f"{path}.conv{number}", width, edge.kernel, stride)
            sketch.norm(f"{path}.bn{number}")


def cell_fault(nodes: tuple[str, ...]) -> str | None:
    """Checks the text of a cell, and returns the words of an error, or None if it is right.

    >>> cell_fault(("skip 0, skip 1",))
    'has 1 nodes, 4 are needed'
    """
    if len(nodes) != NODE_COUNT:
        return f"has {len(nodes)} nodes, {NODE_COUNT} are needed"
    for node, text in enumerate(nodes):
        parts = [part.split() for part in text.split(",")]
        sources = [str(value) for value in range(2 + node)]
        if len(parts) != 2 or any(
            len(part) != 2 or part[0] not in OPERATORS or part[1] not in sources for part in parts
        ):
            return (
                f"has {text!r:.60} for node {node}: two operators ({', '.join(OPERATORS)}), each with the "
                f"value that it reads, from 0 to {1 + node}, are needed, such as 'skip 0, conv3 1'"
            )
    return None
