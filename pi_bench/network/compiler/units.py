"""The units of an activation that is computed in parts: its channels, or its elements.

Each unit has one kind. Units of one kind are gathered from a linear value, and the values that are made of
them are put back in their places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pi_bench.network.compiler.sums import FloatTerm
from pi_bench.network.graph.polynomials import ChannelKind, ReducedPolynomials
from pi_bench.network.program import ChannelMap, ElementMap, LinearOp, LocalOp, MultiplyOp, Shape


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The units of a polynomial activation.

    Attributes:
        shape: that of the activation, batch included.
        table: the polynomial of each unit, for all copies of the channels one after another.
        pixels: bool, the elements that are ReLUs, of the activation's shape without batch. If it is None, the
            units are channels.

    >>> from pi_bench.network.graph.polynomials import reduce_polynomials
    >>> table = reduce_polynomials(np.array([[3.0, 4.0, 1.0], [0.0, 2.0, 0.0]]), relu=None)
    >>> Units((1, 2, 4, 4), table, None).gathered(np.array([1]), (1, 2, 4, 4))
    ((ChannelMap(channels=(1,)),), (1, 1, 4, 4))
    """

    shape: Shape
    table: ReducedPolynomials
    pixels: np.ndarray | None

    @property
    def count(self) -> int:
        """The number of units, of all copies."""
        return len(self.table.kinds)

    def relus(self) -> np.ndarray:
        """Returns the elements that are ReLUs, bool of the activation's shape."""
        relus = np.zeros(self.shape, np.bool_)
        if self.pixels is None:
            relus[:, self.table.channels(ChannelKind.RELU)] = True
        else:
            relus[:] = self.pixels
        return relus

    def gathered(self, places: np.ndarray, source: Shape) -> tuple[tuple[LocalOp, ...], Shape]:
        """Returns the local operators that gather units from a value, and the shape of the result.

        Args:
            places: the places of the units in the value, in the wanted order.
            source: the shape of the value. If it has as many units, it has them in this order.
        """
        if self.pixels is not None:
            shape: Shape = (self.shape[0], places.size)
            return (() if source == shape else (ElementMap(places.astype(np.int32), shape),)), shape
        shape = (self.shape[0], places.size, *self.shape[2:])
        return (() if source == shape else (_channel_map(places),)), shape

    def scattered(
        self,
        source: LinearOp | MultiplyOp,
        units: np.ndarray,
        wanted: np.ndarray,
        sign: int,
        places: np.ndarray | None = None,
    ) -> Iterator[FloatTerm]:
        """Yields terms that put units of a value in their places in the activation, one term per copy.

        Args:
            units: the number of each unit of the value.
            wanted: bool, the units that are put there.
            sign: only units with this gain are put there, with this factor.
            places: the place of each unit in the value, by default in order.
        """
        everywhere = np.full(self.count, -1)
        everywhere[units] = np.arange(units.size) if places is None else places
        everywhere[~wanted | (self.table.gain != sign)] = -1
        size = self.shape[1] if self.pixels is None else self.pixels.size
        for chosen in everywhere.reshape(-1, size):
            if (chosen < 0).all():
                continue
            local: tuple[LocalOp, ...] = (_channel_map(chosen),)
            if self.pixels is not None:
                local = (ElementMap(chosen.astype(np.int32), self.shape),)
            if source.shape == self.shape and np.array_equal(chosen, np.arange(size)):
                local = ()
            yield FloatTerm(source.id, source.scale_bits, local, self.shape, self.shape, float(sign))


def _channel_map(channels: np.ndarray) -> ChannelMap:
    return ChannelMap(tuple(int(channel) for channel in channels))
