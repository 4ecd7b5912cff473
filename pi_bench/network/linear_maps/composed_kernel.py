"""Composes the kernels of two linear maps in few products of matrices.

A composed tap is a tap of the second map joined with a tap of the first. The taps of the smaller window are
taken one by one, and all taps of the larger one enter a single product of matrices. Layers composed from the
source on have small windows after large ones, and layers composed from the result back large after small.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from pi_bench.shape import Pair

Readers = Mapping[tuple[int, int, int], Sequence[int]]
"""For one axis: (class of the second map, its tap, class of the first map) → the composed classes in which
this tap reads this class."""


_WIDE = 8
"""Input channels below which products by single taps of the first map are too narrow to be fast."""


def readers_of(own: Sequence[int], taps: Sequence[Sequence[int | None]]) -> Readers:
    """Lists the composed classes of an axis by class of the second map, tap, and class of the first map.

    Args:
        own: for each composed class, the class of the second map.
        taps: for each composed class and tap, the class of the first map that the tap reads, or None where
            the tap reads padding.

    >>> readers_of([0, 0], [[None, 0], [0, 0]])
    {(0, 1, 0): [0, 1], (0, 0, 0): [1]}
    """
    readers: dict[tuple[int, int, int], list[int]] = {}
    for kind, (own_class, read) in enumerate(zip(own, taps, strict=True)):
        for tap, first_class in enumerate(read):
            if first_class is not None:
                readers.setdefault((own_class, tap, first_class), []).append(kind)
    return readers


def composed_kernel(
    second: np.ndarray,
    first: np.ndarray,
    strides: Pair,
    rows: Readers,
    columns: Readers,
    shape: Sequence[int],
) -> np.ndarray:
    """Computes the kernel of the map that applies the kernel `first` and then `second`.

    All three kernels are float64 (row classes, column classes, out, in, rows, columns).

    Args:
        strides: the strides of the first map.
        rows, columns: the composed classes of each axis, from `readers_of`.
        shape: the shape of the composed kernel.

    >>> three = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 1, 1, 1, 3)
    >>> across = {(0, tap, 0): [0] for tap in range(3)}
    >>> composed_kernel(three, three, (1, 1), {(0, 0, 0): [0]}, across, (1, 1, 1, 1, 1, 5)).ravel()
    array([ 1.,  4., 10., 12.,  9.])
    """
    if math.prod(second.shape[4:]) <= math.prod(first.shape[4:]) or first.shape[3] < _WIDE:
        return _by_taps_of_second(second, first, strides, rows, columns, shape)
    return _by_taps_of_first(second, first, strides, rows, columns, shape)


def _by_taps_of_second(
    second: np.ndarray,
    first: np.ndarray,
    strides: Pair,
    rows: Readers,
    columns: Readers,
    shape: Sequence[int],
) -> np.ndarray:
    kernel = np.zeros(shape)
    (high, wide), inner = first.shape[4:], first.shape[2]
    mixes = np.ascontiguousarray(second.transpose(0, 1, 4, 5, 2, 3))
    flat = np.ascontiguousarray(first).reshape(*first.shape[:2], inner, -1)
    # One product serves all composed classes in which the same tap reads the same class of `first`.
    for ((own_row, k, a), of_rows), ((own_column, m, b), of_columns) in itertools.product(
        rows.items(), columns.items()
    ):
        product = (mixes[own_row, own_column, k, m] @ flat[a, b]).reshape(*shape[2:4], high, wide)
        top, left = k * strides[0], m * strides[1]
        for r, s in itertools.product(of_rows, of_columns):
            kernel[r, s, :, :, top : top + high, left : left + wide] += product
    return kernel


def _by_taps_of_first(
    second: np.ndarray,
    first: np.ndarray,
    strides: Pair,
    rows: Readers,
    columns: Readers,
    shape: Sequence[int],
) -> np.ndarray:
    # Channels stand last in memory, so that what is added up lies in long runs.
    kernel = np.zeros((*shape[:2], *shape[4:], *shape[2:4]))
    inner, (high, wide) = first.shape[2], first.shape[4:]
    taps = np.ascontiguousarray(second.transpose(0, 1, 4, 5, 2, 3)).reshape(
        *second.shape[:2], second.shape[4], -1, inner
    )
    mixes = np.ascontiguousarray(first.transpose(0, 1, 4, 5, 2, 3))
    product = np.empty((second.shape[5], *shape[2:4]))
    flat_product = product.reshape(-1, shape[3])
    for ((own_row, a), row_runs), ((own_column, b), column_runs) in itertools.product(
        _runs(rows).items(), _runs(columns).items()
    ):
        # Row by row, so that a product and what it is added to stay in the cache.
        for k, (p, q) in itertools.product(range(second.shape[4]), np.ndindex(high, wide)):
            readers = [r for r, down in row_runs if k in down]
            if not readers:
                continue
            np.matmul(taps[own_row, own_column, k], mixes[a, b, p, q], out=flat_product)
            for r, (s, across) in itertools.product(readers, column_runs):
                places = slice(
                    across.start * strides[1] + q, (across.stop - 1) * strides[1] + q + 1, strides[1]
                )
                kernel[r, s, k * strides[0] + p, places] += product[across.start : across.stop]
    return kernel.transpose(0, 1, 4, 5, 2, 3)


def _runs(readers: Readers) -> dict[Pair, list[tuple[int, range]]]:
    """Lists, for each pair of classes, the composed classes that join them, each with a run of taps."""
    runs: dict[Pair, list[tuple[int, range]]] = {}
    for (own_class, tap, first_class), kinds in sorted(readers.items()):
        known = runs.setdefault((own_class, first_class), [])
        for kind in kinds:
            before = next((run for run in known if run[0] == kind and run[1].stop == tap), None)
            if before is not None:
                known.remove(before)
            known.append((kind, range(tap if before is None else before[1].start, tap + 1)))
    return runs
