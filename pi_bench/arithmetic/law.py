"""What an activation computes, exactly: the law that every protocol is verified against.

A value x of Z_2^l is the sum of the server's share u and the client's share v. With X = x + offset,
f = truncate_bits and carry = [X mod 2^f < v mod 2^f] (the carry out of the low f bits of u + offset
and v), derivation.md sections 1 to 3:

    ReLU, windowed   max(0, floor(X / 2^f) - carry)
    ReLU, exact      max(0, floor(X / 2^f))
    truncate         the same without max

ReLU is in window arithmetic: only bits f..B of X count, as a signed number of B + 1 - f bits (after
the carry). The offset makes the windowed error unbiased and the exact one a rounding to nearest.
"""

from __future__ import annotations

import numpy as np

RING_BITS = 32
MODES = ("windowed", "exact")


def offset(mode: str, truncate_bits: int) -> int:
    """What is added to x before the truncation: 2^f - 1 windowed, 2^(f-1) exact, 0 if f = 0."""
    if mode not in MODES:
        raise ValueError(f"no such mode: {mode!r}")
    return (1 << truncate_bits) - 1 if mode == "windowed" else (1 << truncate_bits) >> 1


def relu_law(
    x: np.ndarray,
    v: np.ndarray,
    truncate_bits: int,
    window_bits: int,
    mode: str,
    *,
    ring_bits: int = RING_BITS,
) -> np.ndarray:
    """y of the whole ring, uint32 of x's shape. x, v: ring elements (uint32 or non-negative int64)."""
    big_x = _ring(x, ring_bits) + offset(mode, truncate_bits)
    quotient = (big_x >> truncate_bits) - _carry(big_x, v, truncate_bits, mode)
    rectified: np.ndarray = np.maximum(_signed(quotient, window_bits + 1 - truncate_bits), 0)
    return rectified.astype(np.uint32)


def truncate_law(
    x: np.ndarray, v: np.ndarray, truncate_bits: int, mode: str, *, ring_bits: int = RING_BITS
) -> np.ndarray:
    """y mod 2^ring_bits as uint32 of x's shape, for x in the range of `truncate_in_range`."""
    big_x = _signed(_ring(x, ring_bits), ring_bits) + offset(mode, truncate_bits)
    quotient = (big_x >> truncate_bits) - _carry(big_x, v, truncate_bits, mode)
    return _ring(quotient, ring_bits).astype(np.uint32)


def relu_in_range(
    x: np.ndarray, truncate_bits: int, window_bits: int, mode: str, *, ring_bits: int = RING_BITS
) -> np.ndarray:
    """bool: the window holds X, so `relu_law` is the ReLU of the number that x stands for."""
    big_x = _signed(_ring(x, ring_bits), ring_bits) + offset(mode, truncate_bits)
    lowest = -(1 << window_bits) + ((1 << truncate_bits) if mode == "windowed" else 0)
    return (big_x >= lowest) & (big_x < 1 << window_bits)


def truncate_in_range(
    x: np.ndarray, truncate_bits: int, mode: str, *, ring_bits: int = RING_BITS
) -> np.ndarray:
    """bool: -2^(l-2) <= X < 2^(l-2), where the sign of X + 2^(l-2) is known."""
    big_x = _signed(_ring(x, ring_bits), ring_bits) + offset(mode, truncate_bits)
    limit = 1 << (ring_bits - 2)
    return (big_x >= -limit) & (big_x < limit)


def signed(x: np.ndarray) -> np.ndarray:
    """Elements of Z_2^32 (uint32) as the int64 numbers in [-2^31, 2^31) that they stand for."""
    return _signed(_ring(x, RING_BITS), RING_BITS)


def _carry(big_x: np.ndarray, v: np.ndarray, truncate_bits: int, mode: str) -> np.ndarray:
    if mode == "exact":
        return np.zeros_like(big_x)
    low = (1 << truncate_bits) - 1
    lost: np.ndarray = (big_x & low) < (np.asarray(v).astype(np.int64) & low)
    return lost.astype(np.int64)


def _ring(x: np.ndarray, bits: int) -> np.ndarray:
    return np.asarray(x).astype(np.int64) & ((1 << bits) - 1)


def _signed(x: np.ndarray, bits: int) -> np.ndarray:
    half = 1 << (bits - 1)
    return ((x + half) & ((1 << bits) - 1)) - half
