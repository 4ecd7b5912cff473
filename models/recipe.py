"""A recipe: the description of a network as data.

A recipe describes a network of stages (runs of layers of equal resolution; DeepReDuce, section 2.1)
and which of its ReLUs DeepReDuce keeps (sections 3.1 to 3.3):

- culling a stage removes every ReLU in it;
- thinning a stage keeps the first ReLU of every pair and removes the second: in a residual block,
  that between the convolutions stays and that after the addition goes;
- masks keep `kept_relus` of the ReLUs that are then left, chosen one by one or channel by channel (SNL,
  Cho et al., ICML 2022). The weights hold the masks, because training decides which ReLUs stay;
- `merged` says how far adjacent linear layers are merged into larger convolutions (`merging.extents`);
- polynomials of degree 2 or 3 replace ReLU in the layers that `polynomials` names (DELPHI), and cubics in
  those that `cubics` names. In a mixture (SAFENet), the fraction `polynomial_relu_fraction` of each layer's
  channels keeps ReLU;
- with masks and polynomials, ReLUs that masks remove become polynomials (AutoReP, Peng et al., ICCV 2023);
- the layers that `identities` names have no ReLU;
- in the layers that `mixtures` names, some channels are ReLUs, cubics, quadratics or linear (`mixture`);
- channel scaling multiplies every width by `alpha`, feature-map scaling by `rho` multiplies the stem's
  stride by ``int(1 // rho)`` (the input keeps its size).

Each family of `families` is a class of recipes with keys of its own. Nothing here imports torch:
listing and counting are instant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pi_bench.shape import Shape

from . import recipe_keys
from .counted_layers import BlockPlace, CountedLayer, OperatorKind, Sketch
from .layer_patterns import LAYER_KEYS, matches, unfit_patterns
from .mixture import Mixture, mixed, mixtures_key, unfit_mixtures
from .recipe_keys import Key

_CUBIC = 3


@dataclass(frozen=True, slots=True)
class Published:
    """The figures that a paper reports for a network. None stands for a figure that it does not report.

    Attributes:
        relu_count: the number of ReLUs.
        accuracy_pct: the test accuracy in percent.
        latency_s: the private latency in seconds.
        source: the paper and the table.

    >>> Published(12288, 64.97, 0.45, "DeepReDuce Table 4").latency_s
    0.45
    """

    relu_count: int
    accuracy_pct: float | None
    latency_s: float | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(ABC):
    """One network as data. Stages count from 1; `blocks` and `widths` have one entry per stage.

    >>> from pi_bench.models import load_recipe
    >>> recipe = load_recipe("resnet18-cifar100-12288")
    >>> recipe.relu_count, recipe.culled_stages, recipe.scaled_widths
    (12288, (1, 4), (32, 64, 128, 256))
    """

    family: ClassVar[str]
    family_keys: ClassVar[Mapping[str, Key]]  # besides those that every family has
    has_stem_relu: ClassVar[bool] = True  # whether a ReLU belongs to no stage
    can_merge: ClassVar[bool] = True  # False where values stand side by side: no layers are adjacent there
    least_width: ClassVar[int] = 1  # after channel scaling

    name: str
    dataset: str
    input_shape: Shape  # (channels, height, width)
    class_count: int
    blocks: tuple[int, ...]
    widths: tuple[int, ...]  # before channel scaling
    alpha: float = 1.0
    rho: float = 1.0
    stem_relu: bool = False
    culled_stages: tuple[int, ...] = ()
    thinned_stages: tuple[int, ...] = ()
    kept_relus: int | None = None
    masks: str = "pixel"
    merged: str | None = None
    polynomials: tuple[str, ...] = ()  # patterns of ReLU layers' paths
    polynomial_degree: int = 2
    polynomial_relu_fraction: float = 0.0
    cubics: tuple[str, ...] = ()  # as `polynomials`, of degree 3
    identities: tuple[str, ...] = ()  # as `polynomials`, of layers without an activation
    mixtures: tuple[Mixture, ...] = ()
    published: Published | None = None

    @abstractmethod
    def sketch(self) -> Sketch:
        """Returns the network's operators in the order in which they run, polynomials not yet placed."""

    @property
    def can_thin(self) -> bool:
        """Whether ReLUs come in pairs, of which thinning can keep the first."""
        return True

    @property
    def stage_count(self) -> int:
        """The number of stages."""
        return len(self.blocks)

    @property
    def stem_stride(self) -> int:
        """The stride of the first convolution."""
        return int(1 // self.rho)

    @property
    def total_stride(self) -> int:
        """The factor by which the last stage's maps are smaller than the input."""
        stride = self.stem_stride
        for stage in range(1, self.stage_count + 1):
            stride *= self.stage_stride(stage)
        return stride

    @property
    def other_widths(self) -> tuple[int, ...]:
        """The widths of layers outside the stages, before channel scaling."""
        return ()

    @property
    def scaled_widths(self) -> tuple[int, ...]:
        """The width of each stage after channel scaling."""
        return tuple(map(self.scaled, self.widths))

    def scaled(self, width: int) -> int:
        """Returns `width` after channel scaling."""
        return int(width * self.alpha)

    def stage_stride(self, stage: int) -> int:
        """Returns the stride at the start of `stage`. Every stage but the first halves the feature map."""
        return 1 if stage == 1 else 2

    def block_places(self) -> Iterator[BlockPlace]:
        """Yields the place of every block in the order in which blocks run; the first one has the stride."""
        for stage, (count, width) in enumerate(zip(self.blocks, self.scaled_widths, strict=True), 1):
            for number in range(count):
                yield BlockPlace(stage, number, width, self.stage_stride(stage) if number == 0 else 1)

    def keeps_inner_relu(self, stage: int) -> bool:
        """Returns whether `stage` keeps the first ReLU of each pair: in a block, that between
        convolutions."""
        return stage not in self.culled_stages

    def keeps_outer_relu(self, stage: int) -> bool:
        """Returns whether `stage` keeps the second ReLU of each pair: in a block, that after the addition."""
        return stage not in self.culled_stages and stage not in self.thinned_stages

    def keeps_relu(self, stage: int, number: int) -> bool:
        """Returns whether ReLU `number` (from 0) is kept in a stage that is a chain of layers."""
        return self.keeps_inner_relu(stage) if number % 2 == 0 else self.keeps_outer_relu(stage)

    def layers(self) -> list[CountedLayer]:
        """Returns every operator with its shape, parameters and multiply-accumulates, in order."""
        return [
            self._activated(layer)
            for layer in self.sketch()
            if layer.kind is not OperatorKind.RELU or not matches(layer.path, self.identities)
        ]

    def _activated(self, layer: CountedLayer) -> CountedLayer:
        """Returns `layer`, with polynomials if it is a ReLU layer in which the recipe has some."""
        for mixture in self.mixtures:
            if mixture.path == layer.path and layer.kind is OperatorKind.RELU:
                return mixed(layer, mixture)
        degree = self._degree(layer.path)
        if layer.kind is not OperatorKind.RELU or not degree:
            return layer
        channels = layer.shape[0]
        parameters = (degree + 1) * channels
        if self.kept_relus is not None:  # masks tell where the polynomials are
            return replace(layer, parameter_count=parameters)
        polynomials = channels - round(self.polynomial_relu_fraction * channels)
        return replace(layer, polynomial_channels=polynomials, parameter_count=parameters)

    def _degree(self, path: str) -> int:
        """Returns the degree of the polynomials of a ReLU layer, or 0."""
        if matches(path, self.cubics):
            return _CUBIC
        return self.polynomial_degree if matches(path, self.polynomials) else 0

    @property
    def has_polynomials(self) -> bool:
        """Whether polynomials replace ReLUs in some layers."""
        return bool(self.polynomials or self.cubics or self.mixtures)

    def polynomial_layers(self) -> Iterator[tuple[str, Shape, int, int]]:
        """Yields path, shape, number of channels with ReLU, and degree of each layer with polynomials."""
        for layer in self.layers():
            if layer.polynomial_channels and (degree := self._degree(layer.path)):
                relu_channels = layer.shape[0] - layer.polynomial_channels
                yield layer.path, layer.shape, relu_channels, degree

    def mixture_layers(self) -> Iterator[tuple[Shape, Mixture]]:
        """Yields shape and mixture of each layer that has one, in order."""
        found = {mixture.path: mixture for mixture in self.mixtures}
        return ((layer.shape, found[layer.path]) for layer in self.layers() if layer.path in found)

    def masked_polynomial_layers(self) -> Iterator[tuple[str, Shape, int]]:
        """Yields path, shape and degree of each layer with polynomials where its mask removes ReLUs."""
        if self.kept_relus is not None:
            for path, shape in self.relu_shapes():
                if self._degree(path):
                    yield path, shape, self._degree(path)

    @property
    def polynomial_count(self) -> int:
        """The number of elements with a polynomial."""
        if self.kept_relus is not None and self.has_polynomials:
            return self.maskable_count - self.kept_relus
        return sum(layer.polynomial_count for layer in self.layers())

    def identity_layers(self) -> list[str]:
        """Returns the paths of the ReLU layers that `identities` removes, in order."""
        relus = (layer.path for layer in self.sketch() if layer.kind is OperatorKind.RELU)
        return [path for path in relus if matches(path, self.identities)]

    def relu_shapes(self) -> Iterator[tuple[str, Shape]]:
        """Yields path and shape (channels, height, width) of every ReLU layer that is kept, in order.

        Masks are ignored. Layers with polynomials or mixtures are left out, unless masks choose their ReLUs.
        """
        return (
            (layer.path, layer.shape)
            for layer in self.layers()
            if layer.relu_count and not layer.polynomial_channels and not layer.linear_channels
        )

    @property
    def relu_count(self) -> int:
        """The number of ReLUs."""
        return self.maskable_count if self.kept_relus is None else self.kept_relus

    @property
    def maskable_count(self) -> int:
        """The number of ReLUs if masks kept all of them."""
        return sum(layer.relu_count for layer in self.layers())

    @property
    def parameter_count(self) -> int:
        """The number of trained parameters, without the running statistics of batch norms."""
        return sum(layer.parameter_count for layer in self.layers())

    @property
    def mac_count(self) -> int:
        """The multiply-accumulates of convolutions and linear layers, shortcuts included."""
        return sum(layer.mac_count for layer in self.sketch())

    @classmethod
    def schema(cls) -> dict[str, Key]:
        """Returns every key that the family's recipes may have, in the order in which they are written."""
        return {
            "name": recipe_keys.text(),
            "family": recipe_keys.choice(cls.family),
            "dataset": recipe_keys.text(),
            "input_shape": recipe_keys.wholes(
                1,
                recipe_keys.MAX_SIDE,
                3,
                3,
                f"[channels, height, width], each from 1 to {recipe_keys.MAX_SIDE}",
            ),
            "class_count": recipe_keys.whole(2, 100_000),
            **cls.family_keys,
            "alpha": recipe_keys.real(0.01, 4, required=False),
            "rho": recipe_keys.real(0.05, 1, required=False),
            **({"stem_relu": recipe_keys.flag()} if cls.has_stem_relu else {}),
            "culled_stages": _STAGES,
            "thinned_stages": _STAGES,
            "kept_relus": recipe_keys.whole(0, 1 << 40, required=False),
            "masks": recipe_keys.choice("pixel", "channel"),
            "merged": recipe_keys.choice("paper", "full"),
            "polynomials": recipe_keys.texts(),
            "polynomial_degree": recipe_keys.whole(2, 3, required=False),
            "polynomial_relu_fraction": recipe_keys.real(0, 0.99, required=False),
            "cubics": recipe_keys.texts(),
            "identities": recipe_keys.texts(),
            "mixtures": mixtures_key(),
        }

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yields a key and a description of its fault for values that do not go together."""
        count = self.stage_count
        for key in ("culled_stages", "thinned_stages"):
            stages = getattr(self, key)
            if any(stage > count for stage in stages) or list(stages) != sorted(set(stages)):
                yield key, f"must be stages from 1 to {count}, ascending, each once, not {list(stages)}"
        both = sorted(set(self.culled_stages) & set(self.thinned_stages))
        if both:
            yield "thinned_stages", f"names culled stages {both}: a stage is culled or thinned, not both"
        if self.thinned_stages and not self.can_thin:
            yield "thinned_stages", "must be empty: the ReLUs of this network do not come in pairs"
        for key in ("identities", "mixtures"):
            if getattr(self, key) and self.kept_relus is not None:
                yield key, "does not go together with 'kept_relus': masks decide about ReLUs alone"
        if self.polynomial_relu_fraction and self.kept_relus is not None:
            yield (
                "polynomial_relu_fraction",
                "does not go together with 'kept_relus': masks choose the ReLUs among polynomials",
            )
        for key in (*LAYER_KEYS, "mixtures"):
            if getattr(self, key) and self.merged is not None:
                yield key, "does not go together with 'merged': layers are merged where no ReLU lies"
        if len(self.widths) != len(self.blocks):
            yield "widths", f"has {len(self.widths)} entries, 'blocks' has {len(self.blocks)}: one per stage"
        if self.merged is not None and not self.can_merge:
            yield "merged", f"is not possible in the family {self.family}: values stand side by side there"
        widths = [*self.widths, *self.other_widths]
        scaled = list(map(self.scaled, widths))
        if min(scaled) < self.least_width:
            yield "alpha", f"scales widths {widths} to {scaled}: at least {self.least_width} each"
        if min(self.input_shape[1:]) < self.total_stride:
            yield (
                "input_shape",
                f"is smaller than {self.total_stride} x {self.total_stride}, the stride of the whole network",
            )
        elif self.kept_relus is not None and self.kept_relus > self.maskable_count:
            yield "kept_relus", f"is {self.kept_relus}, the network has {self.maskable_count} without masks"
        else:
            relus = {layer.path: layer for layer in self.sketch() if layer.kind is OperatorKind.RELU}
            patterns = {key: getattr(self, key) for key in LAYER_KEYS}
            patterns["mixtures"] = [mixture.path for mixture in self.mixtures]
            yield from unfit_patterns(list(relus), patterns)
            yield from unfit_mixtures(relus, self.mixtures)
            without = [path for path in relus if not self._degree(path)]
            if self.kept_relus is not None and self.has_polynomials and without:
                key = "polynomials" if self.polynomials else "cubics"
                yield key, f"does not match {without[0]}: with 'kept_relus', polynomials are in every layer"

    def summary(self) -> dict[str, Any]:
        """Returns the recipe as JSON values, for `pi-bench export --list --json`."""
        published = self.published
        return {
            "name": self.name,
            "family": self.family,
            "dataset": self.dataset,
            "relu_count": self.relu_count,
            "parameter_count": self.parameter_count,
            "mac_count": self.mac_count,
            "input_shape": list(self.input_shape),
            "class_count": self.class_count,
            "blocks": list(self.blocks),
            "widths": list(self.scaled_widths),
            "culled": [f"S{stage}" for stage in self.culled_stages],
            "thinned": [f"S{stage}" for stage in self.thinned_stages],
            "alpha": self.alpha,
            "rho": self.rho,
            "stem_relu": self.stem_relu,
            "masks": None if self.kept_relus is None else self.masks,
            "merged": self.merged,
            "polynomials": list(self.polynomials),
            "polynomial_degree": self.polynomial_degree if self.polynomials else None,
            "polynomial_relu_fraction": (
                self.polynomial_relu_fraction if self.polynomials or self.cubics else None
            ),
            "cubics": list(self.cubics),
            "identities": list(self.identities),
            "mixtures": list(map(str, self.mixtures)),
            "polynomial_count": self.polynomial_count,
            "published_accuracy_pct": published.accuracy_pct if published else None,
            "published_latency_s": published.latency_s if published else None,
            "source": published.source if published else None,
        }


_STAGES = recipe_keys.wholes(
    1,
    recipe_keys.MAX_STAGES,
    0,
    recipe_keys.MAX_STAGES,
    f"whole numbers from 1 to {recipe_keys.MAX_STAGES}",
    required=False,
)
