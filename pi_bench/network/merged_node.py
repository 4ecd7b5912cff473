"""A sum of merged linear layers as one node: what `merging` makes and the compiler reads; in no file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pi_bench.network.graph import Node
from pi_bench.network.linear_map import LinearMap
from pi_bench.network.merging_pieces import Piece, weights_of


@dataclass(frozen=True, slots=True, eq=False)
class MergedTerm:
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
class MergedNode(Node):
    """A sum over its inputs; `terms` has one entry for each."""

    terms: tuple[MergedTerm, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.layers))


def apply_merged(node: MergedNode, inputs: list[np.ndarray]) -> np.ndarray:
    """The node's value, float32 (batch, *shape), of its inputs' (float32, batch first)."""
    out = np.zeros((len(inputs[0]), *node.shape), np.float32)
    for x, term in zip(inputs, node.terms, strict=True):
        if term.times:
            out += np.float32(term.times) * x
        if term.map is not None:
            out += _apply_map(term, term.map, x, node.shape)
    return out


def _apply_map(term: MergedTerm, whole: LinearMap, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    x = x.reshape(*x.shape, *(1,) * (4 - x.ndim)) if x.ndim < 4 else x
    rows, columns = whole.rows, whole.columns
    out = np.zeros((len(x), whole.out_channels, rows.out_size, columns.out_size), np.float32)
    for piece in term.pieces:
        weight, bias = weights_of(piece, whole)
        out += _placed(piece, _layer(piece, weight.astype(np.float32), bias, x), out.shape)
    return out.reshape(len(x), *shape)


def _layer(piece: Piece, weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A piece's own output, float32 (batch, its channels, *out_size)."""
    read = x[:, :, piece.rows.start : piece.rows.stop, piece.columns.start : piece.columns.stop]
    top, bottom, left, right = piece.padding
    padded = np.pad(read, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, piece.kernel, axis=(2, 3))
    windows = windows[:, :, :: piece.stride[0], :: piece.stride[1]][
        :, :, : piece.out_size[0], : piece.out_size[1]
    ]
    matrix = weight.reshape(len(weight), -1)
    out = np.empty((len(x), len(weight), *piece.out_size), np.float32)
    for sample, window in enumerate(windows.transpose(0, 1, 4, 5, 2, 3)):
        out[sample] = (matrix @ window.reshape(matrix.shape[1], -1)).reshape(out.shape[1:])
    return out + bias.astype(np.float32)[:, None, None]


def _placed(piece: Piece, out: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`out` with its blocks of channels as pixels, zeros around it."""
    (nr, nc), (high, wide), (top, left) = piece.block, piece.out_size, piece.origin
    pixels = out.reshape(len(out), -1, nr, nc, high, wide).transpose(0, 1, 4, 2, 5, 3)
    placed = np.zeros(shape, np.float32)
    placed[:, :, top : top + high * nr, left : left + wide * nc] = pixels.reshape(
        len(out), -1, high * nr, wide * nc
    )
    return placed
