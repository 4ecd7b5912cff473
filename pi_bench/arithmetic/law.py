"""Computes the exact result of an activation: the law that every protocol is verified against.

A value x of Z_2^l is the sum of the server's share u and the client's share v. With X = x + offset,
f = truncate_bits and carry = [X mod 2^f < v mod 2^f] (the carry out of the low f bits of u + offset and v),
docs/threat-model.md, sections 3 and 5, has:

    ReLU, windowed         max(0, floor(X / 2^f) - carry)
    ReLU, exact            max(0, floor(X / 2^f))
    ReLU, truncated-sign   floor(X / 2^f) - carry where floor(X / 2^(f+K)) >= carry(f+K), else 0
    truncate               as windowed or exact, without max; truncated-sign: as windowed

K is sign_drop, and carry(n) is the carry of the low n bits. Mode truncated-sign looks for the sign at bits
f+K to B alone, so values of [0, 2^(f+K)) may become 0. K = 0 and K = 1 are windowed (`dropped_sign_bits`).
ReLU uses window arithmetic: only bits f to B of X count, as a signed number of B + 1 - f bits (after the
carry). The offset makes the windowed error unbiased and the exact one a rounding to nearest.

In all functions x and v are ring elements: uint32, or non-negative int64 below 2^ring_bits.
"""

from __future__ import annotations

import numpy as np

RING_BITS = 32
WORD_BYTES = RING_BITS // 8
MODES = ("windowed", "exact", "truncated-sign")
"""The modes that circuits and tables compute.

A protocol with another arithmetic declares its own mode with an `ActivationLaw`, and uses none of these.
"""

TRUNCATED_SIGN = MODES[2]


def offset(mode: str, truncate_bits: int) -> int:
    """Returns the number that is added to x before the truncation: 2^(f-1) if exact, else 2^f - 1.

    >>> offset("exact", 4), offset("windowed", 4), offset("exact", 0)
    (8, 15, 0)

    Raises:
        ValueError: there is no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"no such mode: {mode!r}")
    return (1 << truncate_bits) >> 1 if mode == "exact" else (1 << truncate_bits) - 1


def dropped_sign_bits(mode: str, truncate_bits: int, window_bits: int, sign_drop: int = 0) -> int:
    """Returns how many low bits of a ReLU's window the circuit for the sign disregards.

    One is free outside exact mode. The circuit then misses only the carry out of the quotient's lowest bit,
    which is 1 only where both shares have that bit set. If that carry turns -1 into 0, the quotient is
    2 * (-1) + 2 = 0, whose ReLU is 0 either way.

    >>> dropped_sign_bits("exact", 12, 23), dropped_sign_bits("windowed", 12, 23)
    (0, 1)
    >>> dropped_sign_bits("truncated-sign", 12, 23, sign_drop=4)
    4

    Raises:
        ValueError: the mode cannot drop `sign_drop` bits, or no bit is left for the sign.
    """
    most = window_bits - truncate_bits
    if not 0 <= sign_drop <= (most if mode == TRUNCATED_SIGN else 0):
        raise ValueError(f"mode {mode!r} cannot drop {sign_drop} bits of the sign")
    return 0 if mode == "exact" else max(sign_drop, min(1, most))


def relu_law(
    x: np.ndarray,
    v: np.ndarray,
    truncate_bits: int,
    window_bits: int,
    mode: str,
    sign_drop: int = 0,
    *,
    ring_bits: int = RING_BITS,
) -> np.ndarray:
    """Computes the ReLU y over the whole ring: uint32 of x's shape.

    >>> x = np.array([100, -100], np.int32).view(np.uint32)
    >>> relu_law(x, np.zeros(2, np.uint32), 3, 9, "exact").tolist()  # 100 / 8, rounded to nearest
    [13, 0]

    Raises:
        ValueError: the mode does not exist or cannot drop `sign_drop` bits.
    """
    big_x = _ring(x, ring_bits) + offset(mode, truncate_bits)
    quotient = (big_x >> truncate_bits) - _carry(big_x, v, truncate_bits, mode)
    sign_bits_from = truncate_bits + dropped_sign_bits(mode, truncate_bits, window_bits, sign_drop)
    top = (big_x >> sign_bits_from) - _carry(big_x, v, sign_bits_from, mode)
    not_negative = _signed(top, window_bits + 1 - sign_bits_from) >= 0
    kept: np.ndarray = np.where(not_negative, _ring(quotient, window_bits + 1 - truncate_bits), 0)
    return kept.astype(np.uint32)


def truncate_law(
    x: np.ndarray, v: np.ndarray, truncate_bits: int, mode: str, *, ring_bits: int = RING_BITS
) -> np.ndarray:
    """Computes y mod 2^ring_bits, uint32 of x's shape, for x in the range of `truncate_in_range`.

    >>> x = np.array([100, -100], np.int32).view(np.uint32)
    >>> truncate_law(x, np.zeros(2, np.uint32), 3, "exact").view(np.int32).tolist()
    [13, -12]

    Raises:
        ValueError: there is no such mode.
    """
    big_x = _signed(_ring(x, ring_bits), ring_bits) + offset(mode, truncate_bits)
    quotient = (big_x >> truncate_bits) - _carry(big_x, v, truncate_bits, mode)
    return _ring(quotient, ring_bits).astype(np.uint32)


def relu_in_range(
    x: np.ndarray,
    truncate_bits: int,
    window_bits: int,
    mode: str,
    sign_drop: int = 0,
    *,
    ring_bits: int = RING_BITS,
) -> np.ndarray:
    """Tells where the window holds X: bool of x's shape.

    There `relu_law` is the ReLU of the number that x represents, except for the values that a dropped sign
    makes 0.

    >>> relu_in_range(np.array([100, 2000], np.uint32), 3, 9, "exact").tolist()  # the window ends at 2^9
    [True, False]

    Raises:
        ValueError: the mode does not exist or cannot drop `sign_drop` bits.
    """
    big_x = _signed(_ring(x, ring_bits), ring_bits) + offset(mode, truncate_bits)
    sign_bits_from = truncate_bits + dropped_sign_bits(mode, truncate_bits, window_bits, sign_drop)
    lowest = -(1 << window_bits) + (0 if mode == "exact" else 1 << sign_bits_from)
    return (big_x >= lowest) & (big_x < 1 << window_bits)


def truncate_in_range(
    x: np.ndarray, truncate_bits: int, mode: str, *, ring_bits: int = RING_BITS
) -> np.ndarray:
    """Tells where -2^(l-2) <= X < 2^(l-2), so that the sign of X + 2^(l-2) is known: bool of x's shape.

    >>> truncate_in_range(np.array([100, 1 << 31], np.uint32), 3, "exact").tolist()
    [True, False]

    Raises:
        ValueError: there is no such mode.
    """
    big_x = _signed(_ring(x, ring_bits), ring_bits) + offset(mode, truncate_bits)
    limit = 1 << (ring_bits - 2)
    return (big_x >= -limit) & (big_x < limit)


def signed(x: np.ndarray) -> np.ndarray:
    """Converts elements of Z_2^32 (uint32) to the int64 numbers in [-2^31, 2^31) that they represent.

    >>> signed(np.array([1, 2**32 - 1], np.uint32)).tolist()
    [1, -1]
    """
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
