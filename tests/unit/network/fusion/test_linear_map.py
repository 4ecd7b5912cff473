"""Composed linear maps equal their parts one after the other, at borders too."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.network.linear_maps.linear_map import Axis, LinearMap


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    return np.einsum("ochw,cijhw->oij", weight, windows[:, ::stride, ::stride]) + bias[:, None, None]


def _map(
    weight: np.ndarray, size: tuple[int, int], stride: int, padding: int, bias: np.ndarray | None = None
) -> LinearMap:
    def axis(extent: int, length: int) -> Axis:
        return Axis.of(length, (length + 2 * padding - extent) // stride + 1, stride, padding, extent)

    rows, columns = axis(weight.shape[2], size[0]), axis(weight.shape[3], size[1])
    return LinearMap.convolution(weight, rows, columns, bias)


_CHANNELS = st.sampled_from((1, 2, 3, 9))  # few and many: products are made in another order from 8 on


@st.composite
def _chains(draw: Any) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, int, int]]]:
    """An input and one to four convolutions that fit after each other."""
    random = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    size = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    channels = draw(_CHANNELS)
    x = random.standard_normal((channels, *size))
    chain = []
    for _ in range(draw(st.integers(1, 4))):
        padding, stride = draw(st.integers(0, 2)), draw(st.integers(1, 3))
        extents = tuple(draw(st.integers(1, min(3, length + 2 * padding))) for length in size)
        out = draw(_CHANNELS)
        weight, bias = random.standard_normal((out, channels, *extents)), random.standard_normal(out)
        chain.append((weight, bias, stride, padding))
        channels = out
        size = tuple(
            (length + 2 * padding - extent) // stride + 1
            for length, extent in zip(size, extents, strict=True)
        )
    return x, chain


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(_chains(), st.booleans())
def test_a_composed_chain_equals_its_convolutions(drawn: Any, from_the_result: bool) -> None:
    x, chain = drawn
    expected, parts = x, []
    for weight, bias, stride, padding in chain:
        parts.append(_map(weight, expected.shape[1:], stride, padding, bias))
        expected = _convolve(expected, weight, bias, stride, padding)
    if from_the_result:
        composed = reduce(LinearMap.after, reversed(parts))
    else:
        composed = reduce(lambda first, second: second.after(first), parts)
    assert composed.apply(x) == pytest.approx(expected, abs=1e-9)
    matrix, constants = composed.dense()
    assert matrix @ x.reshape(-1) + constants == pytest.approx(expected.reshape(-1), abs=1e-9)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 8), st.integers(1, 2))
def test_sums_of_maps_with_other_windows(seed: int, size: int, stride: int) -> None:
    random = np.random.default_rng(seed)
    x = random.standard_normal((2, size, size))
    narrow = _map(random.standard_normal((3, 2, 1, 1)), (size, size), stride, 0)
    wide = _map(random.standard_normal((3, 2, 3, 3)), (size, size), stride, 1)
    twice = _map(random.standard_normal((3, 3, 3, 3)), wide.apply(x).shape[1:], 1, 1).after(wide)
    total = narrow.plus(wide).plus(twice)
    assert total.apply(x) == pytest.approx(narrow.apply(x) + wide.apply(x) + twice.apply(x), abs=1e-9)


def test_padding_between_two_convolutions_makes_border_classes() -> None:
    one = _map(np.ones((1, 1, 3, 3)), (8, 8), 1, 1)
    two = one.after(one)
    assert two.rows.class_count == 3
    assert two.rows.inside == range(1, 7)
    assert two.rows.borders == (range(0, 1), range(7, 8))
    assert one.rows.borders == ()


def test_a_map_that_ends_in_one_pixel_reads_no_padding() -> None:
    conv = _map(np.ones((2, 1, 3, 3)), (4, 4), 1, 1)
    pool = LinearMap.convolution(
        np.eye(2)[:, :, None, None] * np.ones((4, 4)), *(Axis.of(4, 1, 1, 0, 4),) * 2
    )
    whole = pool.after(conv)
    assert (whole.rows.before, whole.rows.extent) == (0, 4)
    assert whole.rows.class_count == 1


def test_maps_of_other_strides_are_not_summed() -> None:
    with pytest.raises(ValueError, match="strides"):
        Axis.of(8, 4, 2, 0, 1).joined(Axis.of(8, 4, 1, 0, 5))
