"""The law against the gadget's arithmetic written with bits, exhaustively on a ring of 8 bits."""

import numpy as np
import pytest

from pi_bench.arithmetic.law import (
    dropped_sign_bits,
    offset,
    relu_in_range,
    relu_law,
    signed,
    truncate_in_range,
    truncate_law,
)

RING_BITS = 8
SETTINGS = [(2, 7), (3, 6), (1, 5), (4, 7)]
DROPS = [("truncated-sign", 0), ("truncated-sign", 1), ("truncated-sign", 2), ("truncated-sign", 3)]


def every_pair() -> tuple[np.ndarray, np.ndarray]:
    """All u, all v of the ring."""
    n = 1 << RING_BITS
    return np.repeat(np.arange(n), n), np.tile(np.arange(n), n)


@pytest.mark.parametrize(("mode", "drop"), [("windowed", 0), ("exact", 0), *DROPS])
@pytest.mark.parametrize(("f", "b"), SETTINGS)
def test_relu_equals_the_gadget_for_every_pair_of_shares(f: int, b: int, mode: str, drop: int) -> None:
    u, v = every_pair()
    n = 1 << RING_BITS
    x = (u + v) % n
    u = (u + offset(mode, f)) % n
    width = b + 1 - f
    uw, vw = (u % (1 << (b + 1))) >> f, (v % (1 << (b + 1))) >> f
    carry_in = ((u % (1 << f)) + (v % (1 << f))) >> f if mode == "exact" else 0
    total = (uw + vw + carry_in) % (1 << width)
    positive = total < 1 << (width - 1)
    unseen = dropped_sign_bits(mode, f, b, drop)
    if unseen:
        positive = ((uw >> unseen) + (vw >> unseen)) % (1 << (width - unseen)) < 1 << (width - unseen - 1)
    u_top, v_top = uw >> (width - 1), vw >> (width - 1)
    wrap = (u_top & v_top) << width
    y = positive * (uw - (u_top << width) + vw - (v_top << width) + carry_in + wrap)
    np.testing.assert_array_equal(relu_law(x, v, f, b, mode, drop, ring_bits=RING_BITS), y)


@pytest.mark.parametrize("mode", ["windowed", "exact"])
@pytest.mark.parametrize("f", [0, 1, 3, 5])
def test_truncation_equals_the_gadget_for_every_pair_of_shares(f: int, mode: str) -> None:
    u, v = every_pair()
    n = 1 << RING_BITS
    x = (u + v) % n
    u = (u + offset(mode, f) + n // 4) % n
    wrap = (u | v) >> (RING_BITS - 1)
    carry = ((u % (1 << f)) + (v % (1 << f))) >> f if mode == "exact" else 0
    y = ((u >> f) + (v >> f) + carry - (wrap << (RING_BITS - f)) - ((n // 4) >> f)) % n
    inside = truncate_in_range(x, f, mode, ring_bits=RING_BITS)
    law = truncate_law(x, v, f, mode, ring_bits=RING_BITS)
    assert 0.4 < inside.mean() < 0.6
    np.testing.assert_array_equal(law[inside], y[inside])


@pytest.mark.parametrize("mode", ["windowed", "exact"])
@pytest.mark.parametrize(("f", "b"), SETTINGS)
def test_inside_the_window_relu_is_relu_within_one_unit(f: int, b: int, mode: str) -> None:
    _, v = every_pair()
    n = 1 << RING_BITS
    x = np.repeat(np.arange(n), n)
    inside = relu_in_range(x, f, b, mode, ring_bits=RING_BITS)
    number = np.where(x >= n // 2, x - n, x)
    real = np.maximum(number / (1 << f), 0)
    error = relu_law(x, v, f, b, mode, ring_bits=RING_BITS) - real
    assert np.abs(error[inside]).max() < 1
    if mode == "exact":
        assert np.abs(error[inside]).max() <= 0.5
    else:  # unbiased against the quotient, over the client's share
        assert abs(error[inside & (number > 1 << f)].mean()) < 1e-12
    assert not inside.all() or b == RING_BITS - 1


@pytest.mark.parametrize("drop", [2, 3])
@pytest.mark.parametrize(("f", "b"), SETTINGS)
def test_a_dropped_sign_zeroes_small_values_alone(f: int, b: int, drop: int) -> None:
    _, v = every_pair()
    n = 1 << RING_BITS
    x = np.repeat(np.arange(n), n)
    inside = relu_in_range(x, f, b, "truncated-sign", drop, ring_bits=RING_BITS)
    big_x = np.where(x >= n // 2, x - n, x) + offset("windowed", f)
    windowed = relu_law(x, v, f, b, "windowed", ring_bits=RING_BITS)
    dropped = relu_law(x, v, f, b, "truncated-sign", drop, ring_bits=RING_BITS)
    different = inside & (windowed != dropped)
    assert different.any()
    assert np.all(dropped[different] == 0)
    assert np.all((big_x[different] >= 0) & (big_x[different] < 1 << (f + drop)))
    assert not relu_in_range(n - (1 << b), f, b, "truncated-sign", drop, ring_bits=RING_BITS)


@pytest.mark.parametrize(("f", "b"), SETTINGS)
def test_one_dropped_bit_is_free(f: int, b: int) -> None:
    """The windowed law is max(0, floor(X / 2^f) - carry) in its range, with a bit less for the sign."""
    u, v = every_pair()
    x = (u + v) % (1 << RING_BITS)
    inside = relu_in_range(x, f, b, "windowed", ring_bits=RING_BITS)
    big_x = np.where(x >= 1 << (RING_BITS - 1), x - (1 << RING_BITS), x) + offset("windowed", f)
    carry = big_x % (1 << f) < v % (1 << f)
    assert dropped_sign_bits("windowed", f, b) == 1
    law = relu_law(x, v, f, b, "windowed", ring_bits=RING_BITS)
    np.testing.assert_array_equal(law[inside], np.maximum((big_x >> f) - carry, 0)[inside])


def test_a_window_of_one_bit_keeps_it() -> None:
    assert dropped_sign_bits("windowed", 7, 7) == 0
    assert dropped_sign_bits("exact", 3, 7) == 0
    assert dropped_sign_bits("truncated-sign", 3, 7, 4) == 4


def test_no_drop_and_one_are_windowed_and_a_bad_one_is_refused() -> None:
    u, v = every_pair()
    x = (u + v) % (1 << RING_BITS)
    windowed = relu_law(x, v, 2, 6, "windowed", ring_bits=RING_BITS)
    for drop in (0, 1):
        same = relu_law(x, v, 2, 6, "truncated-sign", drop, ring_bits=RING_BITS)
        np.testing.assert_array_equal(windowed, same)
    for mode, drop in (("windowed", 1), ("exact", 1), ("truncated-sign", 5), ("truncated-sign", -1)):
        with pytest.raises(ValueError, match="cannot drop"):
            relu_law(x, v, 2, 6, mode, drop)


def test_outside_the_window_a_positive_value_can_vanish() -> None:
    x = np.array([1 << 6])
    assert not relu_in_range(x, 2, 5, "exact", ring_bits=8)[0]
    assert relu_law(x, np.array([0]), 2, 5, "exact", ring_bits=8)[0] != 16


def test_offsets_and_signs() -> None:
    assert [offset("windowed", f) for f in (0, 1, 12)] == [0, 1, 4095]
    assert [offset("truncated-sign", f) for f in (0, 1, 12)] == [0, 1, 4095]
    assert [offset("exact", f) for f in (0, 1, 12)] == [0, 1, 2048]
    with pytest.raises(ValueError, match="truncated"):
        offset("truncated", 3)
    np.testing.assert_array_equal(signed(np.array([0, 1, 2**31, 2**32 - 1], np.uint32)), [0, 1, -(2**31), -1])
