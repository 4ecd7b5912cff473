"""A sum of fused linear layers as one node, which `network.fusion` makes and no file holds."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.network.graph import Node
from pi_bench.network.linear_maps.linear_map import LinearMap
from pi_bench.network.linear_maps.pieces import Piece


@dataclass(frozen=True, slots=True, eq=False)
class FusedTerm:
    """The part of a fused node that reads one input: the input `times`, plus a linear map of it.

    Attributes:
        pieces: the layers that compute the map.
        layers: names the weighted layers of the given graph in it.

    >>> FusedTerm(1, None, (), ("stage1.conv1", "stage1.conv2", "stage1.conv3")).title
    'stage1.conv1…stage1.conv3'
    """

    times: int
    map: LinearMap | None
    pieces: tuple[Piece, ...]
    layers: tuple[str, ...]  # the given graph's weighted layers in it

    @property
    def title(self) -> str:
        """The first and the last of its layers."""
        return "…".join(dict.fromkeys((self.layers[0], self.layers[-1]))) if self.layers else ""


@dataclass(frozen=True, slots=True, eq=False)
class FusedNode(Node):
    """A sum over its inputs; `terms` has one entry per input.

    >>> FusedNode("sum", ("x",), (4,), (FusedTerm(2, None, (), ("conv",)),)).layers
    ('conv',)
    """

    terms: tuple[FusedTerm, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The weighted layers of the given graph that the node computes, each once."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.layers))
