"""The pieces of a linear map add up to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.network.linear_maps.linear_map import Axis, LinearMap
from pi_bench.network.linear_maps.pieces import Piece, pieces_of, weights_of


def _run(piece: Piece, whole: LinearMap, x: np.ndarray) -> np.ndarray:
    """The part of the map's result that a piece adds."""
    weight, bias = weights_of(piece, whole)
    read = x[:, piece.rows.start : piece.rows.stop, piece.columns.start : piece.columns.stop]
    top, bottom, left, right = piece.padding
    padded = np.pad(read, ((0, 0), (top, bottom), (left, right)))
    out = np.zeros((piece.out_channels, *piece.out_size)) + bias[:, None, None]
    for i, j in np.ndindex(piece.out_size):
        down, across = i * piece.stride[0], j * piece.stride[1]
        window = padded[:, down : down + piece.kernel[0], across : across + piece.kernel[1]]
        out[:, i, j] += np.tensordot(weight, window, axes=3)
    nr, nc = piece.block
    high, wide = piece.out_size
    shuffled = out.reshape(-1, nr, nc, high, wide).transpose(0, 3, 1, 4, 2).reshape(-1, high * nr, wide * nc)
    placed = np.zeros((len(shuffled), whole.rows.out_size, whole.columns.out_size))
    top, left = piece.origin
    placed[:, top : top + high * nr, left : left + wide * nc] = shuffled
    return placed


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_pieces_add_up_to_the_map(data: Any) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    size = [data.draw(st.integers(1, 11)) for _ in range(2)]
    whole = None
    shape = list(size)
    for _ in range(data.draw(st.integers(1, 3))):
        axes = []
        for direction in range(2):
            padding, stride = data.draw(st.integers(0, 2)), data.draw(st.integers(1, 2))
            extent = data.draw(st.integers(1, min(3, shape[direction] + 2 * padding)))
            count = (shape[direction] + 2 * padding - extent) // stride + 1
            axes.append(Axis.of(shape[direction], count, stride, padding, extent))
        shape = [axis.out_size for axis in axes]
        weight = random.standard_normal((2, 2, axes[0].extent, axes[1].extent))
        part = LinearMap.convolution(weight, *axes, random.standard_normal(2))
        whole = part if whole is None else part.after(whole)
    assert whole is not None
    x = random.standard_normal((2, *size))
    for pieces in pieces_of(whole.rows, whole.columns, 2, 2):
        assert sum(_run(piece, whole, x) for piece in pieces) == pytest.approx(whole.apply(x), abs=1e-9)
