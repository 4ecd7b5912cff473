"""Makes buffers for cases: every page is touched, and nothing in them is secret."""

from __future__ import annotations

import mmap

import numpy as np

from pi_bench.crypto.symmetric import BLOCK_BYTES, prg


def filled(byte_count: int) -> np.ndarray:
    """Makes a buffer of arbitrary bytes: uint8 (byte_count,).

    The bytes are written because the system would serve all reads of untouched zeros from one page.

    >>> buffer = filled(64)
    >>> buffer.shape, bool(buffer.any())
    ((64,), True)
    """
    return prg(bytes(BLOCK_BYTES), 0, byte_count)  # public zeros for a key: nothing here is secret


def paged(byte_count: int) -> np.ndarray:
    """Makes a buffer as `filled` does, in huge pages where the system gives them.

    The material of an inference is stored in such pages as well.

    >>> bool((paged(64) == filled(64)).all())
    True
    """
    pages = mmap.mmap(-1, max(1, byte_count), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    array = np.frombuffer(pages, np.uint8, byte_count)
    array[:] = filled(byte_count)
    return array
