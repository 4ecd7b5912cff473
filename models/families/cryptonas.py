"""CryptoNAS (Ghodsi et al., NeurIPS 2020): a chain of layers with skips, found by ENAS' macro search.

stem       conv 3x3 · batch norm, without ReLU
layer      ReLU of the output before · conv 3x3 or 5x5 · batch norm; every layer but the first continues with
           the concatenation of the result with the outputs that it skips to · conv 1x1 · batch norm
reduction  between stages every output that a later layer reads is halved (factorized reduction)
head       global average · fully connected

As in the public code, the separable convolutions of the search are plain ones in the network. The published
networks multiply the channels by four where a map is halved, so that every layer has as many ReLUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from .. import recipe_keys
from ..counted_layers import BlockPlace, OperatorKind, Sketch
from ..recipe import Recipe
from ..recipe_keys import Key

_KERNELS = (3, 3, 5, 5)  # by operation: conv 3x3, separable 3x3, conv 5x5, separable 5x5


@dataclass(frozen=True, slots=True)
class Arc:
    """One layer of a CryptoNAS network.

    Attributes:
        place: the stage, the number in the stage, and the width.
        number: the number of the layer in the network, from 0.
        kernel: the size of its convolution.
        skips: the earlier outputs that are concatenated with its own. Output 0 is that of the stem, output n
            that of layer n - 1.

    >>> from pi_bench.models import load_recipe
    >>> arcs = list(load_recipe("cnet1-cifar100-86016").layer_arcs())
    >>> [(arc.place.path, arc.kernel, arc.skips) for arc in arcs[:3]]
    [('stages.0.0', 5, ()), ('stages.0.1', 3, ()), ('stages.1.0', 3, (0, 1))]
    """

    place: BlockPlace
    number: int
    kernel: int
    skips: tuple[int, ...]

    @property
    def reads(self) -> frozenset[int]:
        """The outputs that the layer reads; the last one before it is the input of its ReLU."""
        return frozenset((*self.skips, self.number))


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoNasRecipe(Recipe):
    """A recipe of a CryptoNAS network. `arcs` has one text per layer: the operation, then one bit per skip.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("cnet1-cifar100-86016")
    >>> recipe.arcs[:3], recipe.widths
    (('3', '0 0', '0 1 1'), (14, 56, 224))
    """

    family: ClassVar[str] = "cryptonas"
    family_keys: ClassVar[Mapping[str, Key]] = {
        "blocks": recipe_keys.a_stage_each(1, recipe_keys.MAX_COUNT),
        "widths": recipe_keys.a_stage_each(1, recipe_keys.MAX_WIDTH),
        "arcs": recipe_keys.texts(required=True),
    }
    has_stem_relu: ClassVar[bool] = False
    can_merge: ClassVar[bool] = False
    least_width: ClassVar[int] = 2  # a factorized reduction has two halves

    arcs: tuple[str, ...]

    def layer_arcs(self) -> Iterator[Arc]:
        """Yields the layers in the order in which they run."""
        for number, (place, text) in enumerate(zip(self.block_places(), self.arcs, strict=True)):
            operation, *bits = text.split()
            skips = tuple(output for output, bit in enumerate(bits) if bit == "1")
            yield Arc(place, number, _KERNELS[int(operation)], skips)

    def reductions(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yields each stage after the first, with the outputs before it that a layer from there on reads."""
        arcs = list(self.layer_arcs())
        for stage in range(2, self.stage_count + 1):
            first = next(arc.number for arc in arcs if arc.place.stage == stage)
            read = frozenset[int]().union(*(arc.reads for arc in arcs[first:]))
            yield stage, tuple(output for output in range(first + 1) if output in read)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yields a key and a description of its fault for values that do not go together."""
        count = sum(self.blocks)
        if len(self.arcs) != count:
            yield "arcs", f"has {len(self.arcs)} entries, 'blocks' has {count} layers: one per layer"
            return
        for number, text in enumerate(self.arcs):
            operation, *bits = text.split() or [""]
            if operation not in ("0", "1", "2", "3") or len(bits) != number or not {*bits} <= {"0", "1"}:
                yield (
                    "arcs",
                    f"has {text!r:.60} for layer {number}: an operation from 0 to 3 and {number} skips of 0 "
                    "or 1 are needed",
                )
                return
        yield from super(CryptoNasRecipe, self).problems()

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        sketch.conv("stem.conv", self.scaled_widths[0], 3, self.stem_stride)
        sketch.norm("stem.bn")
        reductions = dict(self.reductions())
        for arc in self.layer_arcs():
            place = arc.place
            if place.stage != sketch.stage:
                sketch.stage = place.stage
                self._reduce(sketch, place, arc.number, reductions.get(place.stage, ()))
            sketch.relu(f"{place.path}.relu", self.keeps_relu(place.stage, place.number))
            sketch.conv(f"{place.path}.conv", place.width, arc.kernel)
            sketch.norm(f"{place.path}.bn")
            if arc.number:
                sketch.shape = ((1 + len(arc.skips)) * place.width, *sketch.shape[1:])
                sketch.conv(f"{place.path}.skip.conv", place.width, 1)
                sketch.norm(f"{place.path}.skip.bn")
        sketch.stage = 0
        sketch.global_pool("pool")
        sketch.linear("classifier", self.class_count)
        return sketch

    def _reduce(self, sketch: Sketch, place: BlockPlace, last: int, outputs: tuple[int, ...]) -> None:
        before = sketch.shape
        for output in outputs:
            sketch.shape = before
            kind = OperatorKind.CONV if output == last else OperatorKind.SHORTCUT
            sketch.factorized_reduction(f"reductions.{place.stage - 2}.{output}", place.width, kind=kind)
