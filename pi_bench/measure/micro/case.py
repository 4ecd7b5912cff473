"""What a primitive's family hands to the runner."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pi_bench.crypto.symmetric import BLOCK_BYTES, prg


@dataclass(frozen=True, slots=True)
class MinimalWork:
    """What one unit needs of the machine at least; the slowest of these is its limit.

    Lower bounds: key schedules, loads that stay in a cache and bookkeeping are not counted.
    """

    aes_blocks: float = 0.0
    memory_bytes: float = 0.0  # read or written, each byte once
    multiply_adds: float = 0.0  # of 64-bit lanes: float64 or 52-bit integer
    ring_multiply_adds: float = 0.0  # a 32-bit word times a 16-bit weight, mod 2^32
    socket_bytes: float = 0.0
    round_trips: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to time: `call` does `unit_count` units with `threads` threads."""

    name: str
    unit: str
    unit_count: int
    threads: int
    work: MinimalWork
    call: Callable[[], object]
    bytes: Mapping[str, float] = field(default_factory=dict)  # a unit; what they are of is the key


@dataclass(frozen=True, slots=True)
class Settings:
    """`count`: elements that a gadget's case streams through. `isa`: "" takes the process's choice."""

    count: int = 200_000
    threads: tuple[int, ...] = (1, 2)
    repetitions: int = 7
    isa: str = ""


def paged(byte_count: int) -> np.ndarray:
    """As `filled`, in huge pages where the system gives them, as an inference's material lies."""
    pages = mmap.mmap(-1, max(1, byte_count), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    array = np.frombuffer(pages, np.uint8, byte_count)
    array[:] = filled(byte_count)
    return array


def filled(byte_count: int) -> np.ndarray:
    """uint8 (byte_count,), every page touched: untouched zeros would all be read from one page."""
    return prg(bytes(BLOCK_BYTES), 0, byte_count)  # public zeros for a key: nothing here is secret
