"""Mixtures: layers whose channels are ReLUs, cubics, quadratics or linear, in numbers of their own (SAFENet).

Lou et al., ICLR 2021. A recipe says how many channels of a layer are of each kind. The weights hold the
choice of the channels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .counted_layers import CountedLayer
from .recipe_keys import Key

KINDS = ("relu", "cubic", "quadratic", "linear")
"""The kinds of channels. A linear channel has no activation."""

_TEXT = re.compile(r"([^\s:]+): (\d{1,6} [a-z]+(?:, \d{1,6} [a-z]+)*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mixture:
    """The numbers of channels of each kind in a layer. At least two kinds occur.

    Attributes:
        path: the path of the ReLU layer that becomes a mixture.

    >>> mixture = Mixture.parse("stem.relu: 4 relu, 1 cubic, 11 linear")
    >>> mixture.cubic, mixture.channel_count, str(mixture)
    (1, 16, 'stem.relu: 4 relu, 1 cubic, 11 linear')
    """

    path: str
    relu: int = 0
    cubic: int = 0
    quadratic: int = 0
    linear: int = 0

    @classmethod
    def parse(cls, text: str) -> Mixture | None:
        """Returns the mixture that a text describes, or None if it describes none."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        parts = [part.split() for part in found[2].split(", ")]
        counts = {kind: int(count) for count, kind in parts}
        if len(counts) < max(2, len(parts)) or set(counts) - set(KINDS) or not all(counts.values()):
            return None
        return cls(found[1], **counts)

    @property
    def counts(self) -> dict[str, int]:
        """The number of channels of each kind."""
        return {kind: getattr(self, kind) for kind in KINDS}

    @property
    def channel_count(self) -> int:
        """The number of all channels."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        """Returns the text that `parse` reads."""
        return f"{self.path}: {', '.join(f'{count} {kind}' for kind, count in self.counts.items() if count)}"


def kind_counts(kinds: Iterable[int]) -> dict[str, int]:
    """Returns the number of channels of each kind.

    Args:
        kinds: the place in `KINDS` of the kind of each channel.

    >>> kind_counts([0, 3, 3])
    {'relu': 1, 'cubic': 0, 'quadratic': 0, 'linear': 2}
    """
    counts = Counter(kinds)
    return {kind: counts[place] for place, kind in enumerate(KINDS)}


def channels_in_words(kinds: Iterable[int]) -> str:
    """Returns the number of channels of each kind that occurs in words.

    Args:
        kinds: as for `kind_counts`.

    >>> channels_in_words([0, 3, 3])
    '1 relu, 2 linear channels'
    """
    counts = kind_counts(kinds)
    return f"{', '.join(f'{count:,} {kind}' for kind, count in counts.items() if count)} channels"


def mixtures_key() -> Key:
    """Returns the optional key of a list of mixtures.

    >>> mixtures_key().accepts(["stem.relu: 16 relu"])
    False
    """

    def accepts(value: object) -> bool:
        return isinstance(value, list) and all(isinstance(one, str) and Mixture.parse(one) for one in value)

    return Key(
        'a list of texts such as "stem.relu: 4 relu, 1 cubic, 11 linear", of two kinds or more',
        accepts,
        lambda texts: tuple(map(Mixture.parse, texts)),
        required=False,
    )


def mixed(layer: CountedLayer, mixture: Mixture) -> CountedLayer:
    """Returns a ReLU layer as a mixture.

    >>> from pi_bench.models.counted_layers import OperatorKind
    >>> layer = CountedLayer("relu", OperatorKind.RELU, 1, (8, 4, 4))
    >>> mixed(layer, Mixture("relu", relu=2, linear=6)).relu_count
    32
    """
    return replace(
        layer,
        polynomial_channels=mixture.cubic + mixture.quadratic,
        linear_channels=mixture.linear,
        parameter_count=4 * layer.shape[0],
    )


def unfit_mixtures(
    relus: Mapping[str, CountedLayer], mixtures: Sequence[Mixture]
) -> Iterator[tuple[str, str]]:
    """Yields key and fault of each mixture that does not fit its layer.

    Args:
        relus: the ReLU layers by path.

    >>> from pi_bench.models.counted_layers import OperatorKind
    >>> relus = {"relu": CountedLayer("relu", OperatorKind.RELU, 1, (8, 4, 4))}
    >>> list(unfit_mixtures(relus, [Mixture("relu", relu=2, linear=2)]))
    [('mixtures', 'has 4 channels in relu, which has 8')]
    """
    seen: set[str] = set()
    for mixture in mixtures:
        if mixture.path in seen:
            yield "mixtures", f"names {mixture.path} twice: a layer has one mixture"
        seen.add(mixture.path)
        layer = relus.get(mixture.path)
        if layer is not None and layer.shape[0] != mixture.channel_count:
            count = mixture.channel_count
            yield "mixtures", f"has {count} channels in {mixture.path}, which has {layer.shape[0]}"
