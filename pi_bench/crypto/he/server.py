"""Runs the server: linear operators on encrypted masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pi_bench import _native
from pi_bench.crypto.he.packing import LinearPlan
from pi_bench.crypto.he.parameters import (
    CIPHERTEXT_BYTES,
    COPY_KEYS,
    DEGREE,
    JOIN_KEYS_BYTES,
    MAX_JOIN_LEVELS,
    PRIMES,
    SEED_BYTES,
    public_key_bytes,
)
from pi_bench.crypto.secret import SecretBytes
from pi_bench.errors import PeerError

_LOADED_WORDS: int = _native.he.LOADED_WORDS
_LOADED_LIMIT_BYTES = 1 << 28
"""Bounds the memory of loaded ciphertexts and sums; tiles are answered in runs that fit into it."""

_KEPT_BYTES = 1 << 26
"""Bounds each array that a connection keeps for the next operator."""


@dataclass(frozen=True, eq=False)
class TransformedWeights:
    """Holds all weight polynomials of one operator, transformed; they are as secret as the weights.

    They serve only the instruction set that made them.

    Attributes:
        weights: int16 (out, in, taps).
        transformed: uint64, or None if they are made anew for every response.

    >>> TransformedWeights(np.ones((2, 3, 1), np.int16), transformed=None).weights.shape
    (2, 3, 1)
    """

    weights: np.ndarray  # int16 (out, in, taps)
    transformed: np.ndarray | None  # uint64; None: made anew for every response


def transformed_bytes(plan: LinearPlan) -> int:
    """Returns the memory in bytes that `transform_weights` takes for one operator.

    >>> from pi_bench.crypto.he import LinearShape
    >>> transformed_bytes(LinearPlan.of(LinearShape("dense", (1, 3), (1, 2)), weight_bits=4))
    196608
    """
    return plan.operand_count * plan.out_poly_count * len(PRIMES) * (DEGREE // plan.run) * 8


def transform_weights(
    plan: LinearPlan, weights: np.ndarray, threads: int = 1, *, isa: str = ""
) -> TransformedWeights:
    """Transforms weights once for many responses and clients; `transformed_bytes` tells the memory.

    Args:
        weights: int16 plan.weight_shape, as in `HeServer.respond`.

    >>> from pi_bench.crypto.he import LinearShape
    >>> plan = LinearPlan.of(LinearShape("dense", (1, 3), (1, 2)), weight_bits=4)
    >>> transform_weights(plan, np.array([[1, 2, 3], [0, -1, 4]], np.int16)).transformed.nbytes
    196608

    Raises:
        ValueError: the weights have another shape, type or range.
    """
    shaped = _shaped(plan, weights)
    transformed = aligned_words(transformed_bytes(plan) // 8)
    _native.he.transform_weights(
        shaped, plan.exponents, *_extents(plan), transformed, threads, plan.copies, isa
    )
    return TransformedWeights(shaped, transformed)


class HeServer:
    """Answers under one client's `public_key`.

    Args:
        copy_keys: whether the key has copy keys, as in `HeClient`.

    >>> from pi_bench.crypto.he import HeClient
    >>> with HeClient() as client:
    ...     server = HeServer(client.public_key)  # the package's docstring shows a whole exchange

    Raises:
        PeerError: the public key has the wrong size or a residue out of range.
    """

    def __init__(
        self, public_key: bytes | bytearray | memoryview, *, copy_keys: bool = True, isa: str = ""
    ) -> None:
        self._isa = isa
        expected = public_key_bytes(copy_keys=copy_keys)
        if len(public_key) != expected:
            raise PeerError(f"the public key has {len(public_key)} bytes instead of {expected}")
        key = memoryview(public_key).cast("B")
        self._scratch = Scratch()
        self._public_key = aligned_words(_LOADED_WORDS)
        self._public_key[:] = self._load(key[:CIPHERTEXT_BYTES], 1, "the public key", 1)
        end = CIPHERTEXT_BYTES + JOIN_KEYS_BYTES
        self._join_keys = aligned_words(MAX_JOIN_LEVELS * _native.he.LOADED_JOIN_KEY_WORDS)
        if not _native.he.load_join_keys(key[CIPHERTEXT_BYTES:end], self._join_keys, isa):
            raise PeerError("the public key: damaged join key (a residue out of range)")
        self._copy_keys = aligned_words(COPY_KEYS * _native.he.LOADED_COPY_KEY_WORDS if copy_keys else 0)
        if copy_keys and not _native.he.load_copy_keys(key[end:], self._copy_keys, isa):
            raise PeerError("the public key: damaged copy key (a residue out of range)")

    def respond(
        self,
        plan: LinearPlan,
        weights: np.ndarray | TransformedWeights,
        upload: bytes | bytearray | memoryview,
        s: np.ndarray,
        threads: int = 1,
    ) -> bytes:
        """Computes the encryption of W r - s modulo 2**32: plan.response_bytes bytes.

        The time depends on public shapes alone.

        Args:
            weights: int16 (out, in, kh, kw) or (out, in), |w| < 2**(plan.weight_bits - 1), or the
                `transform_weights` of them.
            upload: the client's encryption of r.
            s: uint32 plan.out_shape, uniform and fresh.

        Raises:
            PeerError: the upload has the wrong size or a residue out of range.
            ValueError: the weights or `s` have another shape, type or range, or the plan has copies and the
            public key has no copy keys.
        """
        if s.dtype != np.uint32 or s.shape != plan.out_shape:
            raise ValueError(f"s: need uint32 {plan.out_shape}, got {s.dtype} {s.shape}")
        if len(upload) != plan.upload_bytes:
            raise PeerError(
                f"{plan.name}: the encrypted mask has {len(upload)} bytes instead of {plan.upload_bytes}"
            )
        if not isinstance(weights, TransformedWeights):
            weights = TransformedWeights(_shaped(plan, weights), None)
        masks = s.reshape(-1)[plan.out_index]
        view = memoryview(upload).cast("B")
        tile_bytes = plan.in_poly_count * CIPHERTEXT_BYTES
        run = max(1, _LOADED_LIMIT_BYTES // ((plan.operand_count + 2 * threads) * _LOADED_WORDS * 8))
        parts: list[bytes | bytearray] = []
        outputs = OutputPolynomials.of(plan, self._scratch) if plan.layout.per_answer > 1 else None
        for first in range(0, plan.tile_count, run):
            end = min(first + run, plan.tile_count)
            loaded = self.load(plan, view[first * tile_bytes : end * tile_bytes], threads)
            parts.append(self._respond(plan, weights, loaded, masks, (first, end), outputs, threads))
        return b"".join(parts) if outputs is None else bytes(self.join(plan, outputs, threads))

    def _respond(
        self,
        plan: LinearPlan,
        weights: TransformedWeights,
        loaded: np.ndarray,
        masks: np.ndarray,
        tiles: tuple[int, int],
        outputs: OutputPolynomials | None,
        threads: int,
    ) -> bytearray:
        """Returns the answers of some tiles, or writes them into `outputs` if they will be joined."""
        first, last = tiles[0] * plan.out_poly_count, tiles[1] * plan.out_poly_count
        starts = plan.starts[first : last + 1]
        begin, end = int(starts[0]), int(starts[-1])
        starts = starts - starts[0]
        out = bytearray(0 if outputs is not None else plan.response_bytes_of(starts))
        with SecretBytes.random((len(starts) - 1) * SEED_BYTES) as seeds:
            request = (
                weights.weights, plan.exponents, *_extents(plan), weights.transformed, loaded,
                self._public_key, seeds.array, masks[begin:end], plan.positions[begin:end], starts,
            )  # fmt: skip
            if outputs is None:
                _native.he.respond(*request, out, threads, plan.copies, self._isa)
            else:
                c1, c0 = outputs.c1[first:last], outputs.c0[begin:end]
                _native.he.respond_unpacked(*request, c1, c0, threads, plan.copies, self._isa)
        return out

    def load(self, plan: LinearPlan, upload: bytes | bytearray | memoryview, threads: int = 1) -> np.ndarray:
        """Transforms the encryption of some tiles and makes its copies. The next call may overwrite them.

        `respond` does this itself. It is public, because it is timed alone.

        Raises:
            PeerError: the upload has a residue out of range.
        """
        return self._load(upload, plan.in_poly_count, plan.name, threads, plan.copies)

    def join(self, plan: LinearPlan, outputs: OutputPolynomials, threads: int = 1) -> bytearray:
        """Joins output polynomials to the answers of a plan, and overwrites them.

        `respond` does this itself. It is public, because it is timed alone.
        """
        out = bytearray(plan.response_bytes)
        _native.he.join(
            outputs.c1, outputs.c0, self._join_keys, plan.layout.per_answer, plan.positions, plan.starts, out,
            threads, self._isa,
        )  # fmt: skip
        return out

    def _load(
        self,
        ciphertexts: bytes | bytearray | memoryview,
        group: int,
        name: str,
        threads: int,
        copies: tuple[int, int] = (1, 1),
    ) -> np.ndarray:
        if copies[0] > 1 and not self._copy_keys.size:
            raise ValueError(f"{name}: the plan has copies, and the public key has no copy keys")
        polynomials = len(ciphertexts) // CIPHERTEXT_BYTES * copies[0]
        loaded = self._scratch.words("loaded", polynomials * _LOADED_WORDS)
        if not _native.he.load(ciphertexts, group, loaded, threads, copies[0], self._isa):
            raise PeerError(f"{name}: damaged encryption (a residue out of range)")
        if copies[0] > 1:
            _native.he.add_copies(ciphertexts, group, copies, self._copy_keys, loaded, threads, self._isa)
        return loaded


def aligned_words(count: int) -> np.ndarray:
    """Returns uint64 (count,) with any content, which starts at a cache line.

    Vectors of 64 bytes then touch one line each.

    >>> aligned_words(3).ctypes.data % 64
    0
    """
    whole = np.empty(count + 7, np.uint64)
    first = -whole.ctypes.data % 64 // 8
    return whole[first : first + count]


class Scratch:
    """Lends arrays that are used again for the next operator, because fresh memory costs page faults.

    Arrays larger than a bound are not kept.

    >>> scratch = Scratch()
    >>> np.shares_memory(scratch.words("c0", 5), scratch.words("c0", 3))
    True
    """

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def words(self, name: str, count: int) -> np.ndarray:
        """Returns uint64 (count,) with any content. The next call of this name may return the same memory."""
        kept = self._arrays.get(name)
        if kept is None or len(kept) < count:
            kept = aligned_words(count)
            if kept.nbytes <= _KEPT_BYTES:
                self._arrays[name] = kept
        return kept[:count]


@dataclass(frozen=True, eq=False)
class OutputPolynomials:
    """Holds the output polynomials of an operator until they are joined. They could be sent as they are.

    >>> from pi_bench.crypto.he import LinearShape
    >>> plan = LinearPlan.of(LinearShape("dense", (1, 512), (1, 100)), 10, "bytes")
    >>> OutputPolynomials.of(plan).c1.shape
    (2, 8192)
    """

    c1: np.ndarray  # uint64 (outputs, N)
    c0: np.ndarray  # uint64 (released,)

    @classmethod
    def of(cls, plan: LinearPlan, scratch: Scratch | None = None) -> OutputPolynomials:
        """Allocates the output polynomials of a plan, or takes their memory from `scratch`."""
        outputs = plan.tile_count * plan.out_poly_count
        scratch = Scratch() if scratch is None else scratch
        c1 = scratch.words("c1", outputs * DEGREE).reshape(outputs, DEGREE)
        return cls(c1, scratch.words("c0", plan.released_count))


def _shaped(plan: LinearPlan, weights: np.ndarray) -> np.ndarray:
    if weights.dtype != np.int16 or weights.shape != plan.weight_shape:
        raise ValueError(f"weights: need int16 {plan.weight_shape}, got {weights.dtype} {weights.shape}")
    bound = 1 << (plan.weight_bits - 1)
    if bool(((weights >= bound) | (weights <= -bound)).any()):
        raise ValueError(f"weights: need magnitudes below {bound}, or the noise is not covered by the plan")
    return np.ascontiguousarray(weights).reshape(plan.weight_extents)


def _extents(plan: LinearPlan) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return plan.weight_extents, (plan.layout.out_block, plan.layout.in_block, plan.run)
