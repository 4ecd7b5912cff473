"""The cells of a sweep: the combinations of networks, protocols, links and numbers of threads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pi_bench.channel.link import Link

_NAME_CHARACTERS = 80  # of a file's name, which may have 255 bytes


@dataclass(frozen=True, slots=True)
class Network:
    """A network of a sweep.

    Attributes:
        name: names it in the sweep.
        identity: a digest of its file or of its recipe. A sweep is continued with the same one only.
        file: its model file; None where `export` writes one.
        export: writes the model file of a recipe.

    >>> Network("model.pt", "0123", Path("model.pt")).name
    'model.pt'
    """

    name: str
    identity: str
    file: Path | None = None
    export: Callable[[Path], object] | None = None


@dataclass(frozen=True, slots=True)
class SweepCell:
    """One measurement of a sweep.

    Attributes:
        number: counts from 1 in the order of the sweep.
        link: None for loopback as it is.
        threads: per party.

    >>> cell = SweepCell(7, Network("net/a.pt", "0123"), "delphi", None, 2)
    >>> cell.words, cell.stem
    ('net/a.pt, delphi, loopback, 2 threads', '007-net-a.pt-delphi-loopback-2-threads')
    """

    number: int
    network: Network
    protocol: str
    link: Link | None
    threads: int

    @property
    def link_name(self) -> str:
        """The name of the link."""
        return "loopback" if self.link is None else self.link.name

    @property
    def words(self) -> str:
        """The network and the settings, for messages."""
        return ", ".join(self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """The name of the network and those of the settings."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (self.network.name, self.protocol, self.link_name, threads)

    @property
    def stem(self) -> str:
        """The beginning of the names of the cell's files: its number, and its words where they fit."""
        words = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(self.parts)).strip("-.")
        return f"{self.number:03}-{words[:_NAME_CHARACTERS]}"


def cells_of(
    networks: Sequence[Network],
    protocols: Sequence[str],
    links: Sequence[Link | None],
    threads: Sequence[int],
) -> list[SweepCell]:
    """Returns every combination: all settings of a network, then those of the next one.

    >>> nets = [Network("a", "0"), Network("b", "1")]
    >>> [(cell.number, cell.network.name, cell.threads) for cell in cells_of(nets, ["fss"], [None], [1, 2])]
    [(1, 'a', 1), (2, 'a', 2), (3, 'b', 1), (4, 'b', 2)]
    """
    combined = itertools.product(networks, protocols, links, threads)
    return [SweepCell(number, *values) for number, values in enumerate(combined, 1)]
