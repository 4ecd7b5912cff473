"""A prefetch reads its arrays in order, not too far ahead, and leaves out what is dropped."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np
import pytest

from pi_bench.arithmetic.prefetch import prefetch

PIECE = 32 << 10
REACH = 1 << 20


def fresh(byte_count: int) -> np.ndarray:
    """Returns memory of which no page has been touched."""
    memory = mmap.mmap(-1, byte_count)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def touched(*arrays: np.ndarray) -> int:
    """Returns the number of pages of the arrays that have been read."""
    count = 0
    for array in arrays:
        pages = (ctypes.c_ubyte * (-(-array.nbytes // mmap.PAGESIZE)))()
        address = ctypes.c_void_p(array.ctypes.data)
        assert ctypes.CDLL(None).mincore(address, ctypes.c_size_t(array.nbytes), pages) == 0
        count += sum(page & 1 for page in pages)
    return count


def test_every_step_reads_one_piece_of_the_next_array() -> None:
    first, second = fresh(3 * PIECE), fresh(mmap.PAGESIZE)
    steps = prefetch([first, np.empty(0, np.int16), second])
    pages = []
    for _ in range(4):
        before = touched(first, second)
        next(steps)
        pages.append(touched(first, second) - before)
    assert pages == [PIECE // mmap.PAGESIZE] * 3 + [1]
    assert next(steps, "nothing") == "nothing"


def test_it_stops_ahead_of_the_use_and_goes_on_after_it() -> None:
    arrays = [fresh(REACH // 2) for _ in range(4)]
    steps = prefetch(arrays)
    assert sum(1 for _ in steps) == REACH // PIECE
    before = touched(*arrays)
    steps.drop(1)
    assert sum(1 for _ in steps) == REACH // 2 // PIECE
    assert touched(*arrays) - before == REACH // 2 // mmap.PAGESIZE
    steps.drop(4)
    assert next(steps, "nothing") == "nothing"


def test_what_is_dropped_is_not_read() -> None:
    dropped, kept = fresh(4 * PIECE), fresh(PIECE)
    steps = prefetch([dropped, kept])
    next(steps)
    steps.drop(1)
    assert sum(1 for _ in steps) == 1
    assert touched(kept) == PIECE // mmap.PAGESIZE
    assert touched(dropped) < dropped.nbytes // mmap.PAGESIZE


def test_gaps_are_refused() -> None:
    with pytest.raises(TypeError, match="contiguous"):
        prefetch([np.zeros((4, 4), np.uint8)[:, ::2]])
