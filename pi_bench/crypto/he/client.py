"""Runs the client: a key, encryption of masks, decryption of shares."""

from __future__ import annotations

import os

import numpy as np

from pi_bench import _native
from pi_bench.crypto.closed_context import ClosedContext
from pi_bench.crypto.he.packing import LinearPlan
from pi_bench.crypto.he.parameters import (
    CIPHERTEXT_BYTES,
    COPY_KEYS,
    COPY_KEYS_BYTES,
    DEGREE,
    JOIN_KEYS_BYTES,
    MAX_JOIN_LEVELS,
    PRIMES,
    SEED_BYTES,
)
from pi_bench.crypto.secret import SecretBytes
from pi_bench.errors import PeerError


class HeClient(ClosedContext):
    """Holds the secret key in locked memory; `close` wipes it.

    `public_key` (`public_key_bytes` bytes) is sent once, and every message may use it. It is an encryption of
    zero, then the join keys, then the copy keys.

    Args:
        copy_keys: whether to make copy keys. Plans with copies need them, and they have the weakest estimate.
        isa: one of the names of `symmetric.require_isa`, or "" for the selected one.

    >>> with HeClient() as client:
    ...     len(client.public_key)  # the package's docstring shows a whole exchange
    5069248

    Raises:
        EnvironmentUnsupportedError: the system refuses to lock memory for the key.
    """

    def __init__(self, *, copy_keys: bool = True, isa: str = "") -> None:
        self._isa = isa
        self._secret = SecretBytes(DEGREE)
        with SecretBytes.random(SEED_BYTES) as seed:
            _native.he.sample_ternary(seed.array, self._secret.array, isa)
        self.public_key = self._encrypt(None, 1, 1, 1) + self._join_keys()
        if copy_keys:
            self.public_key += self._copy_keys()

    def close(self) -> None:
        """Wipes the secret key; it is safe to call again."""
        self._secret.close()

    def encrypt(self, plan: LinearPlan, r: np.ndarray, threads: int = 1) -> bytes:
        """Encrypts the mask `r`, uint32 plan.in_shape, to plan.upload_bytes bytes.

        Every ciphertext has fresh seeds.

        Raises:
            ValueError: `r` has another shape or type.
        """
        _require(r, plan.in_shape, "r")
        messages = plan.pack_input(r)
        try:
            count = plan.tile_count * plan.in_poly_count
            return self._encrypt(messages, count, plan.layout.copies, threads)
        finally:
            messages.fill(0)

    def decrypt(
        self, plan: LinearPlan, response: bytes | bytearray | memoryview, threads: int = 1
    ) -> np.ndarray:
        """Decrypts the client's share W r - s: uint32 plan.out_shape.

        Raises:
            PeerError: the response has the wrong size or a residue out of range.
        """
        if len(response) != plan.response_bytes:
            raise PeerError(
                f"{plan.name}: the encrypted answer has {len(response)} bytes "
                f"instead of {plan.response_bytes}"
            )
        released = np.empty(plan.released_count, np.uint32)
        if not _native.he.decrypt(
            self._secret.array,
            response,
            plan.answer_positions,
            plan.answer_starts,
            released,
            threads,
            self._isa,
        ):
            raise PeerError(f"{plan.name}: the encrypted answer is damaged (a residue out of range)")
        out = np.empty(plan.released_count, np.uint32)
        out[plan.out_index] = released
        return out.reshape(plan.out_shape)

    def _join_keys(self) -> bytes:
        out = bytearray(JOIN_KEYS_BYTES)
        public_seeds = os.urandom(MAX_JOIN_LEVELS * SEED_BYTES)
        with SecretBytes.random(MAX_JOIN_LEVELS * SEED_BYTES) as noise_seeds:
            _native.he.make_join_keys(self._secret.array, public_seeds, noise_seeds.array, out, self._isa)
        return bytes(out)

    def _copy_keys(self) -> bytes:
        out = bytearray(COPY_KEYS_BYTES)
        seed_bytes = COPY_KEYS * len(PRIMES) * SEED_BYTES
        public_seeds = os.urandom(seed_bytes)
        with SecretBytes.random(seed_bytes) as noise_seeds:
            _native.he.make_copy_keys(self._secret.array, public_seeds, noise_seeds.array, out, self._isa)
        return bytes(out)

    def _encrypt(self, messages: np.ndarray | None, count: int, copies: int, threads: int) -> bytes:
        out = bytearray(count * CIPHERTEXT_BYTES)
        public_seeds = os.urandom(count * SEED_BYTES)
        with SecretBytes.random(count * SEED_BYTES) as noise_seeds:
            _native.he.encrypt(
                self._secret.array, messages, public_seeds, noise_seeds.array, out, threads, copies, self._isa
            )
        return bytes(out)


def _require(array: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    if array.dtype != np.uint32 or array.shape != shape:
        raise ValueError(f"{name}: need uint32 {shape}, got {array.dtype} {array.shape}")
