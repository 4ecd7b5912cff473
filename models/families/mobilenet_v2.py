"""MobileNetV2 (Sandler et al., CVPR 2018): inverted residuals with linear bottlenecks.

stem     conv 3x3, stride 1 (cifar) or 2 (imagenet) · batch norm · ReLU6
stage    blocks, the first with the stage's stride
  block  conv 1x1 to `expansion` times the channels · batch norm · ReLU6 (relu1, not in the first stage)
         · depthwise 3x3 · batch norm · ReLU6 (relu2) · conv 1x1 · batch norm · + x where shapes agree
head     conv 1x1 · batch norm · ReLU6 · global average · fully connected

A stage is a row of the paper's Table 2; its head belongs to the last, whose resolution it has. Where
ReLUs of a block do not have equal shapes they are no pairs: a stage is culled, not thinned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from .. import recipe_keys
from ..counted_layers import BlockPlace, Sketch
from ..recipe import Recipe
from ..recipe_keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV2Recipe(Recipe):
    """A recipe of MobileNetV2. `strides` has one entry per stage.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("mobilenetv2-imagenet-6105792")
    >>> recipe.strides, recipe.total_stride
    ((1, 2, 2, 2, 1, 2, 1), 32)
    """

    family: ClassVar[str] = "mobilenet_v2"
    family_keys: ClassVar[Mapping[str, Key]] = {
        "blocks": recipe_keys.a_stage_each(1, recipe_keys.MAX_COUNT),
        "widths": recipe_keys.a_stage_each(1, recipe_keys.MAX_WIDTH),
        "strides": recipe_keys.a_stage_each(1, 2),
        "stem": recipe_keys.choice("cifar", "imagenet"),
        "stem_width": recipe_keys.width(),
        "expansion": recipe_keys.whole(1, 16, required=False),
        "head_width": recipe_keys.width(),
        "activation": recipe_keys.choice("relu", "relu6"),
    }

    strides: tuple[int, ...]
    stem: str = "cifar"
    stem_width: int = 32
    expansion: int = 6
    head_width: int = 1280
    activation: str = "relu6"

    @property
    def can_thin(self) -> bool:
        """Always False, because the ReLUs of a block have different shapes and are no pairs."""
        return False

    @property
    def stem_stride(self) -> int:
        """The stride of the first convolution, doubled in the ImageNet stem."""
        return super(MobileNetV2Recipe, self).stem_stride * (2 if self.stem == "imagenet" else 1)

    @property
    def total_stride(self) -> int:
        """The factor by which the last stage's maps are smaller than the input."""
        return self.stem_stride * math.prod(self.strides)

    def stage_stride(self, stage: int) -> int:
        """Returns the stride of the first block of `stage`."""
        return self.strides[stage - 1]

    def stage_expansion(self, stage: int) -> int:
        """Returns the factor by which the blocks of `stage` widen their input; 1 in the first stage."""
        return 1 if stage == 1 else self.expansion

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yields a key and a description of its fault for values that do not go together."""
        if len(self.strides) != len(self.blocks):
            yield (
                "strides",
                f"has {len(self.strides)} entries, 'blocks' has {len(self.blocks)}: one per stage",
            )
        yield from super(MobileNetV2Recipe, self).problems()

    @property
    def other_widths(self) -> tuple[int, ...]:
        """The widths of layers outside the stages, before channel scaling."""
        return (self.stem_width, self.head_width)

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        sketch.conv("stem.conv", self.scaled(self.stem_width), 3, self.stem_stride)
        sketch.norm("stem.bn")
        sketch.relu("stem.relu", self.stem_relu)
        for place in self.block_places():
            sketch.stage = place.stage
            self._block(sketch, place)
        sketch.conv("head.conv", self.scaled(self.head_width), 1)
        sketch.norm("head.bn")
        sketch.relu("head.relu", self.keeps_inner_relu(self.stage_count))
        sketch.stage = 0
        sketch.global_pool("pool")
        sketch.linear("classifier", self.class_count)
        return sketch

    def _block(self, sketch: Sketch, place: BlockPlace) -> None:
        stage, path = place.stage, place.path
        hidden = self.stage_expansion(stage) * sketch.shape[0]
        kept = self.keeps_inner_relu(stage)
        if self.stage_expansion(stage) != 1:
            sketch.conv(f"{path}.expand", hidden, 1)
            sketch.norm(f"{path}.bn1")
            sketch.relu(f"{path}.relu1", kept)
        sketch.conv(f"{path}.depthwise", hidden, 3, place.stride, groups=hidden)
        sketch.norm(f"{path}.bn2")
        sketch.relu(f"{path}.relu2", kept)
        sketch.conv(f"{path}.project", place.width, 1)
        sketch.norm(f"{path}.bn3")
