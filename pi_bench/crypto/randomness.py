"""Draws secret random arrays from the operating system's generator, and from no other."""

from __future__ import annotations

import numpy as np

from pi_bench.crypto import secret


def random_words(shape: tuple[int, ...]) -> np.ndarray:
    """Draws uniform ring elements: uint32 of `shape`, writable.

    >>> random_words((2, 3)).dtype
    dtype('uint32')

    Raises:
        EnvironmentUnsupportedError: the kernel gives no random bytes.
    """
    words = np.empty(shape, np.uint32)
    secret.fill_random(words)
    return words


def random_bits(count: int) -> np.ndarray:
    """Draws uniform bits: uint8 (count,) of 0 and 1.

    >>> set(random_bits(1000).tolist())
    {0, 1}

    Raises:
        EnvironmentUnsupportedError: the kernel gives no random bytes.
    """
    packed = np.empty(-(-count // 8), np.uint8)
    secret.fill_random(packed)
    return np.unpackbits(packed, count=count, bitorder="little")


def padded_words(words: np.ndarray, count: int) -> np.ndarray:
    """Appends uniform words to `words`, uint32 (n,), up to `count` items; returns `words` if none is missing.

    Lanes without an element get random words, so that their labels look like those of all others.

    >>> padded = padded_words(np.array([7, 9], np.uint32), 32)
    >>> padded.shape, padded[:2].tolist()
    ((32,), [7, 9])

    Raises:
        ValueError: `words` has more than `count` items.
    """
    missing = count - words.size
    return words if missing == 0 else np.concatenate([words, random_words((missing,))])
