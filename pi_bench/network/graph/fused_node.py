"""A sum of merged linear layers as one node: what `merging` makes and the compiler reads; in no file."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.network.graph import Node
from pi_bench.network.linear_maps.linear_map import LinearMap
from pi_bench.network.linear_maps.pieces import Piece


@dataclass(frozen=True, slots=True, eq=False)
class FusedTerm:
    """Of one of the node's inputs: the input itself `times`, plus a map, which the `pieces` stand for."""

    times: int
    map: LinearMap | None
    pieces: tuple[Piece, ...]
    layers: tuple[str, ...]  # the given graph's weighted layers in it

    @property
    def title(self) -> str:
        """Its layers, shortened."""
        return "…".join(dict.fromkeys((self.layers[0], self.layers[-1]))) if self.layers else ""


@dataclass(frozen=True, slots=True, eq=False)
class FusedNode(Node):
    """A sum over its inputs; `terms` has one entry for each."""

    terms: tuple[FusedTerm, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.layers))
