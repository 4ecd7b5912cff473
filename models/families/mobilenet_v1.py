"""MobileNetV1 (Howard et al., 2017): depthwise separable convolutions.

stem     conv 3x3, stride 1 (cifar) or 2 (imagenet) · batch norm · ReLU
stage    blocks; the first one of every stage but the first has stride 2
  block  depthwise 3x3 · batch norm · ReLU (relu1) · conv 1x1 · batch norm · ReLU (relu2)
head     global average · fully connected

A stage is a run of layers of equal resolution. The papers of private inference count ReLUs; `activation`
is "relu6" for weights of implementations that use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .. import recipe_keys
from ..counted_layers import Sketch
from ..recipe import Recipe
from ..recipe_keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNetV1Recipe(Recipe):
    """A recipe of MobileNetV1.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("mobilenetv1-cifar100-411648")
    >>> recipe.activation, recipe.blocks
    ('relu', (1, 2, 2, 6, 2))
    """

    family: ClassVar[str] = "mobilenet_v1"
    family_keys: ClassVar[Mapping[str, Key]] = {
        "blocks": recipe_keys.a_stage_each(1, recipe_keys.MAX_COUNT),
        "widths": recipe_keys.a_stage_each(1, recipe_keys.MAX_WIDTH),
        "stem": recipe_keys.choice("cifar", "imagenet"),
        "stem_width": recipe_keys.width(),
        "activation": recipe_keys.choice("relu", "relu6"),
    }

    stem: str = "cifar"
    stem_width: int = 32
    activation: str = "relu"

    @property
    def stem_stride(self) -> int:
        """The stride of the first convolution, doubled in the ImageNet stem."""
        return super(MobileNetV1Recipe, self).stem_stride * (2 if self.stem == "imagenet" else 1)

    @property
    def other_widths(self) -> tuple[int, ...]:
        """The widths of layers outside the stages, before channel scaling."""
        return (self.stem_width,)

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        sketch.conv("stem.conv", self.scaled(self.stem_width), 3, self.stem_stride)
        sketch.norm("stem.bn")
        sketch.relu("stem.relu", self.stem_relu)
        for place in self.block_places():
            sketch.stage, channels = place.stage, sketch.shape[0]
            sketch.conv(f"{place.path}.depthwise", channels, 3, place.stride, groups=channels)
            sketch.norm(f"{place.path}.bn1")
            sketch.relu(f"{place.path}.relu1", self.keeps_inner_relu(place.stage))
            sketch.conv(f"{place.path}.pointwise", place.width, 1)
            sketch.norm(f"{place.path}.bn2")
            sketch.relu(f"{place.path}.relu2", self.keeps_outer_relu(place.stage))
        sketch.stage = 0
        sketch.global_pool("pool")
        sketch.linear("classifier", self.class_count)
        return sketch
