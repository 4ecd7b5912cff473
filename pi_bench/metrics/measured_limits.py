"""Measures the rates of this machine that bound every primitive.

Each rate is the best of several repetitions, since a limit is not a typical value. The repetitions are so
short that some of them meet no other program. A limit is measured when it is first needed, in the process
that times the primitives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle

import numpy as np

from pi_bench.arithmetic.convolution import RingConvolution
from pi_bench.costs import LIMIT_KINDS
from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES, aes128_encrypt, hash_labels, prg
from pi_bench.metrics.timing import sample
from pi_bench.primitives import MinimalWork, loopback
from pi_bench.primitives.buffers import filled

_REPETITIONS = 15
_AES_CALLS = 64
_AES_BLOCKS = 1 << 14  # in and out stay in a core's second-level cache
_STREAM_BYTES = 1 << 28  # all threads together: far beyond the caches
_STREAM_PIECES = 32  # one call reads one of them
_CACHED_BYTES, _CACHED_READS = 1 << 18, 64  # of each thread: stays in a core's second-level cache
_MATRIX_SIZE = 256
_RING_CALLS = 4
_RING_SHAPES = ((64, 16), (128, 8), (128, 16))
"""Channels and sides of images that stay in a core's second-level cache with weights and sums. The kernel is
not equally fast on all of them."""
_SOCKET_BYTES = 1 << 22
_ROUND_TRIPS = 20


class MachineLimits:
    """Seconds that one unit of each kind of work takes at best.

    Args:
        isa: the instruction set of AES; "" takes the process's choice.
        peer_cores: the cores of the process at the other end of the loopback connection; without them the
            system places it.

    >>> name, seconds = MachineLimits().of(MinimalWork(memory_bytes=8), threads=1)
    >>> name, 0 < seconds < 1
    ('memory', True)
    """

    def __init__(self, isa: str = "", peer_cores: tuple[int, ...] = ()) -> None:
        self._isa = isa
        self._peer_cores = peer_cores
        self._known: dict[tuple[str, int], float] = {}
        self._connection_s: dict[str, float] = {}

    def unit_s(self, name: str, threads: int) -> float:
        """Returns the seconds per unit of `name` in `LIMIT_NAMES`, while `threads` threads share the work.

        A socket is one stream, whatever the number of threads.
        """
        key = (name, 1 if name in ("socket", "round_trip") else threads)
        if key not in self._known:
            self._known[key] = self._measure(*key)
        return self._known[key]

    def of(self, work: MinimalWork, threads: int) -> tuple[str, float]:
        """Finds the kind of `work` that takes longest at the machine's best: (name, seconds)."""
        times = {name: amount * self.unit_s(name, threads) for name, amount in work.amounts.items()}
        name = max(times, key=times.__getitem__)
        return name, times[name]

    def measured(self) -> list[dict[str, str | int | float]]:
        """Returns all limits that were measured so far, as JSON values."""
        return [
            {"name": name, "threads": threads, "unit": f"s/{LIMIT_KINDS[name].unit}", "value": value}
            for (name, threads), value in sorted(self._known.items())
        ]

    def _measure(self, name: str, threads: int) -> float:
        if name in ("socket", "round_trip"):
            return self._measure_connection(name)
        if name == "aes":
            return min(
                _in_threads_s(form, _AES_CALLS * _AES_BLOCKS, threads) for form in _aes_forms(self._isa)
            )
        if name == "ring_multiply_add":
            return min(
                _in_threads_s(
                    partial(_ring_multiply_adds, channels, side),
                    _RING_CALLS * 9 * channels**2 * side**2,
                    threads,
                )
                for channels, side in _RING_SHAPES
            )
        piece_bytes = _STREAM_BYTES // threads // _STREAM_PIECES
        make, units = {
            "cache": (lambda: _memory(_CACHED_BYTES, 1, _CACHED_READS), _CACHED_READS * _CACHED_BYTES),
            "memory": (lambda: _memory(piece_bytes, _STREAM_PIECES, 1), piece_bytes),
            "multiply_add": (_multiply_adds, _MATRIX_SIZE**3),
        }[name]
        return _in_threads_s(make, units, threads)

    def _measure_connection(self, name: str) -> float:
        """Measures bytes and round trips over two connections, and keeps both for the next question."""
        if not self._connection_s:
            # Parties with cores of their own poll for a message, which is faster than being woken.
            apart = bool(self._peer_cores) or len(os.sched_getaffinity(0)) > 1
            for polls in (False, True) if apart else (False,):
                with loopback.Echo(polls=polls, cores=self._peer_cores) as echo:
                    for key, call, units in (
                        ("socket", partial(echo.send, _SOCKET_BYTES), _SOCKET_BYTES),
                        ("round_trip", partial(echo.round_trips, _ROUND_TRIPS), _ROUND_TRIPS),
                    ):
                        best_s = _best_s(call) / units
                        self._connection_s[key] = min(best_s, self._connection_s.get(key, best_s))
        return self._connection_s[name]


def _in_threads_s(make: Callable[[], Callable[[], object]], units: int, threads: int) -> float:
    """Returns the seconds per unit while every thread runs a call of its own, each of `units` units."""
    calls = [make() for _ in range(threads)]
    if threads == 1:  # handing a call to a thread takes as long as a short call
        return _best_s(calls[0]) / units
    with ThreadPoolExecutor(threads) as pool:
        return _best_s(lambda: list(pool.map(_call, calls))) / (units * threads)


def _best_s(call: Callable[[], object]) -> float:
    return min(sample(call, _REPETITIONS))


def _call(call: Callable[[], object]) -> object:
    return call()


def _aes_forms(isa: str) -> list[Callable[[], Callable[[], object]]]:
    """Lists the ways in which the kernels run AES. The fastest one counts as the rate of the machine."""

    def repeated(once: Callable[[np.ndarray, np.ndarray], object]) -> Callable[[], Callable[[], object]]:
        def make() -> Callable[[], object]:
            shape = (_AES_BLOCKS // LANES, LANES, BLOCK_BYTES)
            blocks = filled(_AES_BLOCKS * BLOCK_BYTES).reshape(shape)
            out = blocks.copy()
            return lambda: [once(blocks, out) for _ in range(_AES_CALLS)]

        return make

    key = bytes(BLOCK_BYTES)
    return [
        repeated(lambda blocks, out: aes128_encrypt(key, blocks, out=out, isa=isa)),
        repeated(lambda blocks, out: prg(key, 0, out.nbytes, out=out, isa=isa)),
        repeated(lambda blocks, out: hash_labels(key, 1, 1, 0, 0, blocks, out=out, isa=isa)),
    ]


def _memory(byte_count: int, piece_count: int, reads: int) -> Callable[[], object]:
    """Makes a call of `reads` reads of `byte_count` bytes, each of the next of several pieces in turn.

    The product of an array with itself reads it once.
    """
    pieces = np.ones((piece_count, byte_count // 8))
    turns = cycle(pieces)

    def read() -> None:
        for _ in range(reads):
            piece = next(turns)
            np.dot(piece, piece)

    return read


def _multiply_adds() -> Callable[[], object]:
    left, right, out = np.ones((3, _MATRIX_SIZE, _MATRIX_SIZE))
    return lambda: np.matmul(left, right, out=out)


def _ring_multiply_adds(channels: int, side: int) -> Callable[[], object]:
    """Makes a call of this package's own kernel on cached data, since no library has this product."""
    shape = (1, channels, side, side)
    convolution = RingConvolution(shape, shape, (3, 3), (1, 1), (1, 1))
    weights = filled(2 * 9 * channels**2).view(np.int16).reshape(channels, channels, 3, 3)
    packed, shifts = convolution.pack(weights), np.zeros(channels, np.uint8)
    share = filled(4 * channels * side**2).view(np.uint32).reshape(shape)
    workspace, out = np.zeros(convolution.workspace_words, np.uint32), share.copy()

    def run() -> None:
        for _ in range(_RING_CALLS):
            convolution.add(packed, share, 1, shifts, workspace, out)

    return run
