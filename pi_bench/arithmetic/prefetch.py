"""Reading memory before it is needed: what the next step streams from memory is then in the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

_LINE_BYTES = 64
_PIECE_BYTES = 128 << 10  # some 10 us from memory: what a message that comes meanwhile waits at most


def prefetch(arrays: Iterable[np.ndarray]) -> Iterator[None]:
    """Reads a piece of `arrays` (C-contiguous, in the order in which they will be used) at every step of
    the iterator. The values do not matter to it, nor to its time."""
    for array in arrays:
        lines = array.reshape(-1).view(np.uint8)[::_LINE_BYTES]
        for first in range(0, lines.size, _PIECE_BYTES // _LINE_BYTES):
            np.bitwise_or.reduce(lines[first : first + _PIECE_BYTES // _LINE_BYTES])
            yield
