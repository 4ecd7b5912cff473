"""The choices of a compilation: bits of weights and activations, for all layers or by layer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pi_bench.errors import UsageError

MAX_WINDOW_BITS = 29
MIN_BITS, MAX_WEIGHT_BITS = 2, 16


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """The choices of a compilation.

    Attributes:
        weight_bits: width of the signed weights.
        activation_bits: size of the calibrated maximum of an activation's result.
        headroom_bits: bits of every window above the calibrated maximum of the values before the activation.
        per_channel: one weight scale per output channel, else one per tensor (fewer public numbers).
        batch: samples of one inference.
        layer_activation_bits, layer_weight_bits: bits of some layers by the name of the node, instead of the
            ones for all.

    Raises:
        UsageError: an option is outside of its range.

    >>> options = CompileOptions(activation_bits=12, layer_activation_bits={"layer1.relu": 9})
    >>> options.activation_bits_of("layer1.relu"), options.activation_bits_of("layer2.relu")
    (9, 12)
    """

    weight_bits: int = 10
    activation_bits: int = 10
    headroom_bits: float = 1.0
    per_channel: bool = True
    batch: int = 1
    layer_activation_bits: Mapping[str, int] = field(default_factory=dict)
    layer_weight_bits: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1.0 <= self.headroom_bits <= 8.0:
            raise UsageError(f"headroom of {self.headroom_bits} bits: 1 to 8 are possible")
        for bits in (self.weight_bits, *self.layer_weight_bits.values()):
            if not MIN_BITS <= bits <= MAX_WEIGHT_BITS:
                raise UsageError(f"weights of {bits} bits: {MIN_BITS} to {MAX_WEIGHT_BITS} are possible")
        most = MAX_WINDOW_BITS - 8 - self.headroom
        for bits in (self.activation_bits, *self.layer_activation_bits.values()):
            if not MIN_BITS <= bits <= most:
                raise UsageError(
                    f"activations of {bits} bits: {MIN_BITS} to {most} are possible with this headroom"
                )
        if not 1 <= self.batch <= 4096:
            raise UsageError(f"a batch of {self.batch}: 1 to 4096 are possible")

    @property
    def headroom(self) -> int:
        """The whole bits of a window above the bits of the calibrated maximum."""
        return math.ceil(self.headroom_bits)

    @property
    def most_weight_bits(self) -> int:
        """The width of the widest weights of any layer."""
        return max((self.weight_bits, *self.layer_weight_bits.values()))

    def activation_bits_of(self, name: str) -> int:
        """Returns the bits of the input, of an activation or of a value that is truncated, by its node."""
        return self.layer_activation_bits.get(name, self.activation_bits)

    def weight_bits_of(self, weights: str) -> int:
        """Returns the width of the weights with the name `weights`, which starts with that of their node.

        >>> CompileOptions(layer_weight_bits={"conv1": 12}).weight_bits_of("conv1.weight")
        12
        """
        return self.layer_weight_bits.get(layer_of(weights), self.weight_bits)


def layer_of(weights: str) -> str:
    """Returns the path of the layer that weights belong to, without the number of a further term.

    >>> layer_of("stages.0.conv1.weight.2")
    'stages.0.conv1'
    """
    return re.sub(r"\.weight(\.\d+)?$", "", weights)
