"""MiniONN's network for CIFAR-10 (Liu et al., CCS 2017, Figure 13), which DELPHI measures too.

    S1  conv 3x3, 64 · ReLU · conv 3x3, 64 · ReLU · mean-pool 2x2
    S2  conv 3x3, 64 · ReLU · conv 3x3, 64 · ReLU · mean-pool 2x2
    S3  conv 3x3, 64 · ReLU · conv 1x1, 64 · ReLU · conv 1x1, 16 · ReLU
    fully connected

It has no batch norm. Its shape is fixed; alpha and rho scale it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pi_bench.shape import Shape

from ..counted_layers import OperatorKind, Sketch
from ..recipe import Recipe
from ..recipe_keys import Key

# Width and kernel of the convolutions of each stage.
CONVS = (((64, 3), (64, 3)), ((64, 3), (64, 3)), ((64, 3), (64, 1), (16, 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MinionnRecipe(Recipe):
    """A recipe of MiniONN's network.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("minionn-cifar10-173056")
    >>> recipe.feature_shape, recipe.parameter_count
    ((16, 8, 8), 164954)
    """

    family: ClassVar[str] = "minionn"
    family_keys: ClassVar[Mapping[str, Key]] = {}
    has_stem_relu: ClassVar[bool] = False

    blocks: tuple[int, ...] = tuple(map(len, CONVS))
    widths: tuple[int, ...] = tuple(convs[-1][0] for convs in CONVS)

    def convs(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Yields stage, number in the stage (from 0), scaled width, kernel and stride of each convolution."""
        for stage, convs in enumerate(CONVS, 1):
            for number, (width, kernel) in enumerate(convs):
                stride = self.stem_stride if (stage, number) == (1, 0) else 1
                yield stage, number, self.scaled(width), kernel, stride

    @property
    def feature_shape(self) -> Shape:
        """The shape that the fully connected layer reads."""
        return next(layer.shape for layer in reversed(self.layers()) if layer.kind is OperatorKind.CONV)

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        for stage, number, width, kernel, stride in self.convs():
            if stage > 1 and number == 0:
                sketch.pool(f"stages.{stage - 2}.pool", 2)
            sketch.stage = stage
            path = f"stages.{stage - 1}.{number}"
            sketch.conv(f"{path}.conv", width, kernel, stride, bias=True)
            sketch.relu(f"{path}.relu", self.keeps_relu(stage, number))
        sketch.stage = 0
        sketch.linear("classifier", self.class_count)
        return sketch
