"""Residual networks (He et al., CVPR 2016): basic or bottleneck blocks, CIFAR or ImageNet stem.

stem     cifar     conv 3x3 · batch norm · ReLU
         imagenet  conv 7x7, stride 2 · batch norm · ReLU · max-pool 3x3, stride 2
stage    blocks; the first one of every stage but the first has stride 2
head     global average · fully connected

Where a block changes the shape, its shortcut is a 1x1 convolution ("projection": option B of the
paper, section 4.1) or takes every second pixel and pads channels with zeros ("pad": option A, without
parameters, which the paper uses on CIFAR). The first block of DeepReDuce's ResNet9 (section 4), which
is ResNet10 otherwise, has one convolution: `first_block_convs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from .. import recipe_keys
from ..counted_layers import BlockPlace, OperatorKind, Sketch
from ..recipe import Recipe
from ..recipe_keys import Key

EXPANSION = 4  # of a bottleneck block: its output is that many times as wide as its middle


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetRecipe(Recipe):
    """A recipe of a residual network. For bottleneck blocks, `widths` are those of their middle.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("resnet50-imagenet-9608704")
    >>> recipe.block, recipe.block_width(64), recipe.total_stride
    ('bottleneck', 256, 32)
    """

    family: ClassVar[str] = "resnet"
    family_keys: ClassVar[Mapping[str, Key]] = {
        "blocks": recipe_keys.a_stage_each(1, recipe_keys.MAX_COUNT),
        "widths": recipe_keys.a_stage_each(1, recipe_keys.MAX_WIDTH),
        "stem": recipe_keys.choice("cifar", "imagenet"),
        "block": recipe_keys.choice("basic", "bottleneck"),
        "first_block_convs": recipe_keys.whole(1, 2, required=False),
        "shortcut": recipe_keys.choice("projection", "pad"),
    }

    stem: str = "cifar"
    block: str = "basic"
    first_block_convs: int = 2
    shortcut: str = "projection"

    @property
    def can_thin(self) -> bool:
        """Whether blocks are basic: the three ReLUs of a bottleneck block are no pairs."""
        return self.block == "basic"

    @property
    def stem_stride(self) -> int:
        """The stride of the stem's convolution. The ImageNet stem pools after it."""
        # The zero-argument form of super() does not find a class that slots have remade.
        return super(ResNetRecipe, self).stem_stride * (2 if self.stem == "imagenet" else 1)

    @property
    def total_stride(self) -> int:
        """The factor by which the last stage's maps are smaller than the input."""
        return super(ResNetRecipe, self).total_stride * (2 if self.stem == "imagenet" else 1)

    def block_width(self, width: int) -> int:
        """Returns the output channels of a block of that width after channel scaling."""
        return EXPANSION * width if self.block == "bottleneck" else width

    def block_convs(self, stage: int, block: int) -> int:
        """Returns the number of convolutions of basic block `block` (from 0) of `stage` (from 1)."""
        return self.first_block_convs if (stage, block) == (1, 0) else 2

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yields a key and a description of its fault for values that do not go together."""
        if self.block == "bottleneck" and self.first_block_convs != 2:
            yield "first_block_convs", "must be 2 with bottleneck blocks"
        if self.shortcut == "pad" and list(self.scaled_widths) != sorted(self.scaled_widths):
            yield "shortcut", "can pad channels only where widths do not shrink"
        yield from super(ResNetRecipe, self).problems()

    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run."""
        sketch = Sketch(self.input_shape)
        imagenet = self.stem == "imagenet"
        sketch.conv("stem.conv", self.scaled_widths[0], 7 if imagenet else 3, self.stem_stride)
        sketch.norm("stem.bn")
        sketch.relu("stem.relu", self.stem_relu)
        if imagenet:
            sketch.overlapping_pool("stem.pool", 2)
        for place in self.block_places():
            sketch.stage = place.stage
            self._block(sketch, place)
        sketch.stage = 0
        sketch.global_pool("pool")
        sketch.linear("classifier", self.class_count)
        return sketch

    def _block(self, sketch: Sketch, place: BlockPlace) -> None:
        path, width, stride = place.path, place.width, place.stride
        inner, outer = self.keeps_inner_relu(place.stage), self.keeps_outer_relu(place.stage)
        before = sketch.shape
        # Width, kernel and stride of each convolution; a ReLU is after every one of them.
        if self.block == "bottleneck":
            convs = [(width, 1, 1), (width, 3, stride), (self.block_width(width), 1, 1)]
        else:
            convs = [(width, 3, stride), (width, 3, 1)][: self.block_convs(place.stage, place.number)]
        for number, (out, kernel, step) in enumerate(convs, 1):
            sketch.conv(f"{path}.conv{number}", out, kernel, step)
            sketch.norm(f"{path}.bn{number}")
            if number < len(convs):
                sketch.relu(f"{path}.relu{number}", inner)
        out, after = convs[-1][0], sketch.shape
        if self.shortcut == "projection" and (stride != 1 or before[0] != out):
            sketch.shape = before
            sketch.conv(f"{path}.shortcut.conv", out, 1, stride, kind=OperatorKind.SHORTCUT)
            sketch.norm(f"{path}.shortcut.bn")
            sketch.shape = after
        sketch.relu(f"{path}.relu{len(convs)}", outer)
