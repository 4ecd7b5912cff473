"""Evaluates fused linear layers in numpy, float32: the sum of their pieces, each placed where it belongs."""

from __future__ import annotations

import numpy as np

from pi_bench.network.graph.float_convolution import convolve
from pi_bench.network.graph.fused_node import FusedNode, FusedTerm
from pi_bench.network.linear_maps.linear_map import LinearMap
from pi_bench.network.linear_maps.pieces import Piece, weights_of


def apply_fused(node: FusedNode, inputs: list[np.ndarray]) -> np.ndarray:
    """Computes a fused node's value, float32 (batch, *shape), from its inputs' values (batch first).

    >>> node = FusedNode("sum", ("x", "y"), (2,), (FusedTerm(3, None, (), ()), FusedTerm(1, None, (), ())))
    >>> apply_fused(node, [np.float32([[1, 2]]), np.float32([[10, 20]])]).tolist()
    [[13.0, 26.0]]
    """
    out = np.zeros((len(inputs[0]), *node.shape), np.float32)
    for x, term in zip(inputs, node.terms, strict=True):
        if term.times:
            out += np.float32(term.times) * x
        if term.map is not None:
            out += _apply_map(term, term.map, x, node.shape)
    return out


def _apply_map(term: FusedTerm, whole: LinearMap, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    x = x.reshape(*x.shape, *(1,) * (4 - x.ndim)) if x.ndim < 4 else x
    rows, columns = whole.rows, whole.columns
    out = np.zeros((len(x), whole.out_channels, rows.out_size, columns.out_size), np.float32)
    for piece in term.pieces:
        weight, bias = weights_of(piece, whole)
        out += _placed(piece, _layer(piece, weight.astype(np.float32), bias, x), out.shape)
    return out.reshape(len(x), *shape)


def _layer(piece: Piece, weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Computes a piece's own output, float32 (batch, its channels, *out_size)."""
    read = x[:, :, piece.rows.start : piece.rows.stop, piece.columns.start : piece.columns.stop]
    top, bottom, left, right = piece.padding
    padded = np.pad(read, ((0, 0), (0, 0), (top, bottom), (left, right)))
    out = convolve(padded, weight, piece.out_size, piece.stride, (1, 1))
    return out + bias.astype(np.float32)[:, None, None]


def _placed(piece: Piece, out: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Arranges blocks of channels of `out` as pixels, with zeros around them."""
    (nr, nc), (high, wide), (top, left) = piece.block, piece.out_size, piece.origin
    pixels = out.reshape(len(out), -1, nr, nc, high, wide).transpose(0, 1, 4, 2, 5, 3)
    placed = np.zeros(shape, np.float32)
    placed[:, :, top : top + high * nr, left : left + wide * nc] = pixels.reshape(
        len(out), -1, high * nr, wide * nc
    )
    return placed
