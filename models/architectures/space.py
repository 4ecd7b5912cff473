"""The interface of a space of architectures.

An architecture is a recipe of the least width. Its width is set last, so that each candidate can be as wide
as a budget allows. As in the published networks of both families, the channels grow by four where a map is
halved, so that every layer has as many ReLUs.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from pi_bench.errors import ModelError, UsageError

from ..criticality import require_relus
from ..recipe import Recipe
from ..recipe_keys import MAX_WIDTH
from ..recipe_schema import parse_recipe
from ..recipe_writing import format_recipe
from .settings import NasSettings

GROWTH = 4

Architecture = TypeVar("Architecture", bound=Recipe)


class Space(ABC, Generic[Architecture]):
    """A space of architectures: networks of one family, of which a search tries some.

    Args:
        base: the network whose images, stem and number of reductions the architectures have.
        settings: the ranges of layers and widths.

    Attributes:
        name: the name of the space, which is that of the family.
        unit: the word for one layer.
        network: the name of the published network that is `base` unless the user names another.
        width_limit: the largest width of the first stage that a recipe can have.
        most_width: the largest one that the settings allow.

    Raises:
        ModelError: `base` is of another family, is reduced already, or has polynomials or too many stages.
        UsageError: A network with the reductions of `base` has more layers than the settings allow.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.architectures.spaces import space_of
    >>> space = space_of("cryptonas", load_recipe("cnet1-cifar100-86016"), NasSettings())
    >>> drawn = space.drawn(np.random.Generator(np.random.PCG64(7)))
    >>> wide = space.with_width(drawn, 14)
    >>> wide.relu_count == 14 * 32 * 32 * sum(drawn.blocks), wide.widths
    (True, (14, 56, 224))
    >>> space.with_width(space.mutated(drawn, np.random.Generator(np.random.PCG64(7))), 2) != drawn
    True
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    network: ClassVar[str]

    def __init__(self, base: Architecture, settings: NasSettings) -> None:
        if base.family != self.name:
            raise ModelError(
                f"{base.name} is of the family {base.family}: --space {self.name} needs a network of the "
                f"family {self.name}, such as {self.network}"
            )
        require_relus(base)
        self.base = dataclasses.replace(base, alpha=1.0, published=None)
        self.settings = settings
        if GROWTH**self.reduction_count * base.least_width > MAX_WIDTH:
            raise ModelError(
                f"{base.name} halves its maps {self.reduction_count} times: with {GROWTH} times the channels "
                f"each time, its last stage would have more than {MAX_WIDTH}"
            )
        self.width_limit = MAX_WIDTH // max(GROWTH**self.reduction_count, self.stem_growth)
        self.most_width = min(settings.most_width, self.width_limit)
        if settings.least_layers < self.fewest_layers:
            raise UsageError(
                f"--least-layers {settings.least_layers}: a network that halves its maps "
                f"{self.reduction_count} times has {self.fewest_layers} {self.unit} at least"
            )

    @property
    @abstractmethod
    def reduction_count(self) -> int:
        """The number of times that a network of the space halves its maps behind the stem."""

    @property
    def stem_growth(self) -> int:
        """The channels of the stem as a multiple of the width."""
        return 1

    @property
    @abstractmethod
    def fewest_layers(self) -> int:
        """The number of layers below which a network cannot have its reductions."""

    @property
    def least_width(self) -> int:
        """The width of architectures."""
        return self.base.least_width

    @abstractmethod
    def smallest(self) -> Architecture:
        """Returns the architecture with the fewest layers and the smallest operators."""

    def cheap(self) -> Iterator[Architecture]:
        """Yields the smallest architecture, and then others with as many ReLUs that may take less time."""
        yield self.smallest()

    @abstractmethod
    def drawn(self, generator: np.random.Generator) -> Architecture:
        """Returns an architecture at random."""

    @abstractmethod
    def mutated(self, architecture: Architecture, generator: np.random.Generator) -> Architecture:
        """Returns another architecture of the space, which differs from `architecture` in one place."""

    @abstractmethod
    def words(self, architecture: Architecture) -> str:
        """Returns all that tells the architecture from others of the space, without its width."""

    @abstractmethod
    def with_width(self, architecture: Architecture, width: int) -> Architecture:
        """Returns the architecture with `width` channels in its first stage."""

    def layer_count(self, architecture: Architecture) -> int:
        """Returns the number of layers or cells."""
        return sum(architecture.blocks)

    def _named(self, architecture: Architecture, **changes: Any) -> Architecture:
        """Returns `architecture` with changes and with a name of its own, checked as a file is."""
        changed = dataclasses.replace(architecture, **changes)
        name = f"{self.name}-{changed.dataset}-{changed.relu_count}"
        checked = parse_recipe(format_recipe(dataclasses.replace(changed, name=name)), name)
        assert isinstance(checked, type(architecture))
        return checked
