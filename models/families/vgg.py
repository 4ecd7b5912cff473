"""VGG networks (Simonyan and Zisserman, ICLR 2015) with batch norm, as used for small images.

stage    convolutions 3x3 · batch norm · ReLU, then 2x2 pooling where the map is larger than one pixel
head     global average · hidden layers (fully connected · ReLU) · fully connected

`blocks` are convolutions of each stage. The paper's hidden layers of 4,096 are `hidden_widths`; public
networks for CIFAR have none. They are a stage of their own, the last: a run of layers of equal resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .. import recipe_keys
from ..counted_layers import OperatorKind, Sketch
from ..recipe import Recipe
from ..recipe_keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class VggRecipe(Recipe):
    """A recipe of a VGG network. `blocks` has the number of convolutions of each stage.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("vgg16-cifar10-276480")
    >>> recipe.blocks, recipe.stage_count, recipe.total_stride
    ((2, 2, 3, 3, 3), 5, 16)
    """

    family: ClassVar[str] = "vgg"
    family_keys: ClassVar[Mapping[str, Key]] = {
        "blocks": recipe_keys.a_stage_each(1, recipe_keys.MAX_COUNT),
        "widths": recipe_keys.a_stage_each(1, recipe_keys.MAX_WIDTH),
        "pool": recipe_keys.choice("max", "average"),
        "hidden_widths": recipe_keys.wholes(
            1, 8192, 0, 3, "at most 3 whole numbers from 1 to 8192", required=False
        ),
    }
    has_stem_relu: ClassVar[bool] = False

    pool: str = "max"
    hidden_widths: tuple[int, ...] = ()

    @property
    def stage_count(self) -> int:
        """The number of stages; hidden layers are one more."""
        return len(self.blocks) + (1 if self.hidden_widths else 0)

    @property
    def total_stride(self) -> int:
        """The factor by which the last convolutions' maps are smaller than the input."""
        return self.stem_stride << (len(self.blocks) - 1)

    @property
    def other_widths(self) -> tuple[int, ...]:
        """The widths of layers outside the stages, before channel scaling."""
        return self.hidden_widths

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        for stage, (count, width) in enumerate(zip(self.blocks, self.scaled_widths, strict=True), 1):
            sketch.stage = stage
            for number in range(count):
                path = f"stages.{stage - 1}.{number}"
                sketch.conv(f"{path}.conv", width, 3, self.stem_stride if stage == 1 and number == 0 else 1)
                sketch.norm(f"{path}.bn")
                sketch.relu(f"{path}.relu", self.keeps_relu(stage, number))
            if min(sketch.shape[1:]) > 1:
                kind = OperatorKind.MAX_POOL if self.pool == "max" else OperatorKind.POOL
                sketch.pool(f"stages.{stage - 1}.pool", 2, kind)
        sketch.stage = 0
        sketch.global_pool("pool")
        if self.hidden_widths:
            sketch.stage = self.stage_count
        for number, width in enumerate(map(self.scaled, self.hidden_widths)):
            sketch.linear(f"hidden.{number}.linear", width)
            sketch.relu(f"hidden.{number}.relu", self.keeps_relu(self.stage_count, number))
        sketch.stage = 0
        sketch.linear("classifier", self.class_count)
        return sketch
