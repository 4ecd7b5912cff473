"""The macro space of CryptoNAS (Ghodsi et al., NeurIPS 2020): a chain of layers with skips.

Each layer has a convolution of 3 x 3 or 5 x 5, and for each earlier output a bit that says whether it skips
to it. The layers are divided among the stages as evenly as possible. The paper's space has separable
convolutions too. Its networks compute plain ones in their place, so that they would be the same networks
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..families.cryptonas import CryptoNasRecipe
from .space import GROWTH, Space

_OPERATIONS = ("0", "2")  # conv 3x3 and conv 5x5

Layer = tuple[str, tuple[str, ...]]
"""The operation of a layer, and its bits."""


class CryptoNasSpace(Space[CryptoNasRecipe]):
    """The space of CryptoNAS, as `Space`.

    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.architectures.settings import NasSettings
    >>> space = CryptoNasSpace(load_recipe("cnet1-cifar100-86016"), NasSettings())
    >>> space.words(space.smallest()), space.smallest().widths
    ('0 | 0 0 | 0 0 0', (2, 8, 32))
    """

    name = "cryptonas"
    unit = "layers"
    network = "cnet1"

    @property
    def reduction_count(self) -> int:
        """The number of stages after the first."""
        return self.base.stage_count - 1

    @property
    def fewest_layers(self) -> int:
        """One layer per stage."""
        return self.base.stage_count

    def smallest(self) -> CryptoNasRecipe:
        """Returns the architecture of the fewest layers, with convolutions of 3 x 3 and without skips."""
        return self._of([(_OPERATIONS[0], ("0",) * n) for n in range(self.settings.least_layers)])

    def drawn(self, generator: np.random.Generator) -> CryptoNasRecipe:
        """Returns an architecture at random."""
        count = int(generator.integers(self.settings.least_layers, self.settings.most_layers + 1))
        return self._of([self._layer(number, generator) for number in range(count)])

    def mutated(self, architecture: CryptoNasRecipe, generator: np.random.Generator) -> CryptoNasRecipe:
        """Returns the architecture with another operation, another bit, or one layer more or less."""
        layers = _layers(architecture)
        changes = [self._other_operation]
        if len(layers) > 1:
            changes.append(self._other_bit)
        if len(layers) < self.settings.most_layers:
            changes.append(self._longer)
        if len(layers) > self.settings.least_layers:
            changes.append(self._shorter)
        return self._of(changes[int(generator.integers(len(changes)))](layers, generator))

    def words(self, architecture: CryptoNasRecipe) -> str:
        """Returns the layers in the notation of the public code: operation and bits."""
        return " | ".join(architecture.arcs)

    def with_width(self, architecture: CryptoNasRecipe, width: int) -> CryptoNasRecipe:
        """Returns the architecture with `width` channels in its first stage."""
        widths = tuple(width * GROWTH**stage for stage in range(len(architecture.blocks)))
        return self._named(architecture, widths=widths)

    def _of(self, layers: Sequence[Layer]) -> CryptoNasRecipe:
        stages = self.base.stage_count
        ends = [len(layers) * stage // stages for stage in range(stages + 1)]
        return self._named(
            self.base,
            arcs=tuple(" ".join((operation, *bits)) for operation, bits in layers),
            blocks=tuple(after - before for before, after in pairwise(ends)),
            widths=tuple(self.least_width * GROWTH**stage for stage in range(stages)),
        )

    def _layer(self, number: int, generator: np.random.Generator) -> Layer:
        bits = generator.random(number) < self.settings.skip_probability
        return str(generator.choice(_OPERATIONS)), tuple("01"[int(bit)] for bit in bits)

    def _other_operation(self, layers: list[Layer], generator: np.random.Generator) -> list[Layer]:
        place = int(generator.integers(len(layers)))
        operation, bits = layers[place]
        other = _OPERATIONS[1 - _OPERATIONS.index(operation)]
        return [*layers[:place], (other, bits), *layers[place + 1 :]]

    def _other_bit(self, layers: list[Layer], generator: np.random.Generator) -> list[Layer]:
        places = [(place, bit) for place, (_, bits) in enumerate(layers) for bit in range(len(bits))]
        place, bit = places[int(generator.integers(len(places)))]
        operation, bits = layers[place]
        other = "1" if bits[bit] == "0" else "0"
        return [*layers[:place], (operation, (*bits[:bit], other, *bits[bit + 1 :])), *layers[place + 1 :]]

    def _longer(self, layers: list[Layer], generator: np.random.Generator) -> list[Layer]:
        """Puts a layer in at random. Later layers do not skip to its output, which is output place + 1."""
        place = int(generator.integers(len(layers) + 1))
        later = [(one, (*bits[: place + 1], "0", *bits[place + 1 :])) for one, bits in layers[place:]]
        return [*layers[:place], self._layer(place, generator), *later]

    def _shorter(self, layers: list[Layer], generator: np.random.Generator) -> list[Layer]:
        """Takes a layer out at random, and with it all skips to its output."""
        place = int(generator.integers(len(layers)))
        later = []
        for operation, bits in layers[place + 1 :]:
            # The next layer does not skip to the output itself: the one before it becomes its input.
            out = min(place + 1, len(bits) - 1)
            later.append((operation, (*bits[:out], *bits[out + 1 :])))
        return [*layers[:place], *later]


def _layers(architecture: CryptoNasRecipe) -> list[Layer]:
    parts = [text.split() for text in architecture.arcs]
    return [(operation, tuple(bits)) for operation, *bits in parts]
