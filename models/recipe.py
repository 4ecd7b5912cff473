"""A recipe: what a network is, as data.

A recipe describes a residual network and which of its ReLUs DeepReDuce keeps (sections 3.1 to 3.3):

- culling a stage removes both ReLUs of every block in it;
- thinning a stage keeps the ReLU between the two convolutions of a block and removes the one after
  the addition;
- channel scaling multiplies every width by `alpha`, feature-map scaling by `rho` is a stem of stride
  ``int(1 // rho)`` (the input keeps its size).

Nothing here imports torch: listing and counting are instant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """What the paper reports of this network; None where it reports nothing."""

    relu_count: int
    accuracy_pct: float | None
    latency_s: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network. Stages count from 1; `blocks` and `widths` have one entry a stage."""

    name: str
    family: str
    dataset: str
    input_shape: Shape  # (channels, height, width)
    class_count: int
    blocks: tuple[int, ...]
    widths: tuple[int, ...]  # before channel scaling
    alpha: float
    rho: float
    stem_relu: bool
    culled_stages: tuple[int, ...]
    thinned_stages: tuple[int, ...]
    published: Published | None

    @property
    def stem_stride(self) -> int:
        return int(1 // self.rho)

    @property
    def scaled_widths(self) -> tuple[int, ...]:
        return tuple(int(width * self.alpha) for width in self.widths)

    def stage_stride(self, stage: int) -> int:
        """Stride of the first block of `stage`: every stage but the first halves the feature map."""
        return 1 if stage == 1 else 2

    def keeps_inner_relu(self, stage: int) -> bool:
        """Whether blocks of `stage` have the ReLU between their convolutions."""
        return stage not in self.culled_stages

    def keeps_outer_relu(self, stage: int) -> bool:
        """Whether blocks of `stage` have the ReLU after their addition."""
        return stage not in self.culled_stages and stage not in self.thinned_stages

    def relu_shapes(self) -> Iterator[tuple[str, Shape]]:
        """Module path and (channels, height, width) of every ReLU that is kept, in order."""
        height, width = (_strided(side, self.stem_stride) for side in self.input_shape[1:])
        if self.stem_relu:
            yield "stem.relu", (self.scaled_widths[0], height, width)
        for stage, (count, channels) in enumerate(zip(self.blocks, self.scaled_widths, strict=True), 1):
            stride = self.stage_stride(stage)
            height, width = _strided(height, stride), _strided(width, stride)
            for block in range(count):
                if self.keeps_inner_relu(stage):
                    yield f"stages.{stage - 1}.{block}.relu1", (channels, height, width)
                if self.keeps_outer_relu(stage):
                    yield f"stages.{stage - 1}.{block}.relu2", (channels, height, width)

    @property
    def relu_count(self) -> int:
        return sum(math.prod(shape) for _, shape in self.relu_shapes())

    def summary(self) -> dict[str, Any]:
        """The recipe as JSON values, for `pi-bench export --list --json`."""
        published = self.published
        return {
            "name": self.name,
            "family": self.family,
            "dataset": self.dataset,
            "relu_count": self.relu_count,
            "input_shape": list(self.input_shape),
            "class_count": self.class_count,
            "blocks": list(self.blocks),
            "widths": list(self.scaled_widths),
            "culled": [f"S{stage}" for stage in self.culled_stages],
            "thinned": [f"S{stage}" for stage in self.thinned_stages],
            "alpha": self.alpha,
            "rho": self.rho,
            "stem_relu": self.stem_relu,
            "published_accuracy_pct": published.accuracy_pct if published else None,
            "published_latency_s": published.latency_s if published else None,
            "source": published.source if published else None,
        }


def _strided(side: int, stride: int) -> int:
    """Side of a map after a 3x3 convolution with padding 1."""
    return (side - 1) // stride + 1
