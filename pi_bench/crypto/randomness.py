"""Secret random arrays, from the operating system's generator only."""

from __future__ import annotations

import numpy as np

from pi_bench.crypto import secret


def random_words(shape: tuple[int, ...]) -> np.ndarray:
    """Uniform ring elements: uint32 of `shape`, writable."""
    words = np.empty(shape, np.uint32)
    secret.fill_random(words)
    return words


def random_bits(count: int) -> np.ndarray:
    """Uniform bits: uint8 (count,) of 0 and 1."""
    packed = np.empty(-(-count // 8), np.uint8)
    secret.fill_random(packed)
    return np.unpackbits(packed, count=count, bitorder="little")


def padded_words(words: np.ndarray, count: int) -> np.ndarray:
    """`words` (n,) followed by uniform ones up to `count`; `words` itself if it is long enough.

    Lanes without an element get random words: their labels must look like any other's.
    """
    missing = count - words.size
    return words if missing == 0 else np.concatenate([words, random_words((missing,))])
