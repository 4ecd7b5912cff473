"""Wide residual networks (Zagoruyko and Komodakis, BMVC 2016): wide blocks with their ReLUs in front.

stem     conv 3x3
stage    blocks; the first one of every stage but the first has stride 2
  block  batch norm · ReLU (relu1) · conv 3x3 · batch norm · ReLU (relu2) · conv 3x3 · + shortcut
         shortcut: identity, or conv 1x1 of relu1's result where the shape changes
head     batch norm · ReLU · global average · fully connected

WRN-22-8 has three stages of (22 - 4) / 6 = 3 blocks, 8 times as wide as 16, 32 and 64. The head's ReLU
belongs to the last stage, whose resolution it has. SNL's network lacks it: `head_relu = false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .. import recipe_keys
from ..counted_layers import BlockPlace, OperatorKind, Sketch
from ..recipe import Recipe
from ..recipe_keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class WideResNetRecipe(Recipe):
    """A recipe of a wide residual network.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("wrn-22-8-cifar100-1392640")
    >>> recipe.blocks, recipe.widths, recipe.keeps_head_relu
    ((3, 3, 3), (128, 256, 512), True)
    """

    family: ClassVar[str] = "wide_resnet"
    family_keys: ClassVar[Mapping[str, Key]] = {
        "blocks": recipe_keys.a_stage_each(1, recipe_keys.MAX_COUNT),
        "widths": recipe_keys.a_stage_each(1, recipe_keys.MAX_WIDTH),
        "stem_width": recipe_keys.width(),
        "head_relu": recipe_keys.flag(),
    }
    has_stem_relu: ClassVar[bool] = False

    stem_width: int = 16
    head_relu: bool = True

    @property
    def keeps_head_relu(self) -> bool:
        """Whether the ReLU before the pooling is kept. It belongs to the last stage."""
        return self.head_relu and self.keeps_inner_relu(self.stage_count)

    @property
    def other_widths(self) -> tuple[int, ...]:
        """The widths of layers outside the stages, before channel scaling."""
        return (self.stem_width,)

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        sketch.conv("stem", self.scaled(self.stem_width), 3, self.stem_stride)
        for place in self.block_places():
            sketch.stage = place.stage
            self._block(sketch, place)
        sketch.norm("head.bn")
        sketch.relu("head.relu", self.keeps_head_relu)
        sketch.stage = 0
        sketch.global_pool("pool")
        sketch.linear("classifier", self.class_count)
        return sketch

    def _block(self, sketch: Sketch, place: BlockPlace) -> None:
        stage, path, before = place.stage, place.path, sketch.shape
        sketch.norm(f"{path}.bn1")
        sketch.relu(f"{path}.relu1", self.keeps_inner_relu(stage))
        sketch.conv(f"{path}.conv1", place.width, 3, place.stride)
        sketch.norm(f"{path}.bn2")
        sketch.relu(f"{path}.relu2", self.keeps_outer_relu(stage))
        sketch.conv(f"{path}.conv2", place.width, 3)
        if place.stride != 1 or before[0] != place.width:
            sketch.shape = before
            sketch.conv(f"{path}.shortcut", place.width, 1, place.stride, kind=OperatorKind.SHORTCUT)
