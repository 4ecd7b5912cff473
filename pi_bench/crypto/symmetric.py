"""AES-128, the AES-CTR generator and the hash of labels of the native backend.

H(x, j) = AES_{S xor j}(sigma(x)) xor sigma(x), sigma(L || R) = (L xor R) || L with L the high 64
bits; 32 labels share a key. The tweak j has the purpose in bits 120..127, the gadget in 96..119, the
group of 32 in 64..95, the position in 40..63, and zeros below; blocks are little-endian integers.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.errors import EnvironmentUnsupportedError

BLOCK_BYTES = 16
LANES = 32
"""Elements that are evaluated in lock step and share one hash key a position."""


def require_isa() -> str:
    """The instruction set that the kernels use: ``"vaes512"``, ``"aesni"`` or ``"portable"``.

    The environment variable ``PI_BENCH_ISA`` (auto, vaes512, aesni, portable, none) overrides the
    choice; it is read once a process. Portable is plain code in constant time, many times slower: the
    choice for processors without AES instructions. With none every kernel refuses.

    Raises:
        EnvironmentUnsupportedError: this processor lacks what is needed or was asked for.
    """
    try:
        isa: str = _native.symmetric.selected_isa()
    except (_native.symmetric.UnsupportedCpuError, ValueError) as error:
        raise EnvironmentUnsupportedError(f"the cryptography cannot run here: {error}") from error
    return isa


PORTABLE = "portable"


def aes128_encrypt(
    key: bytes, blocks: np.ndarray, *, out: np.ndarray | None = None, isa: str = ""
) -> np.ndarray:
    """AES-128-ECB of uint8 (..., 16) blocks under a 16-byte key; into `out` if given."""
    out = np.empty_like(blocks) if out is None else out
    _native.symmetric.aes128_encrypt(key, blocks, out, isa)
    return out


def prg(
    seed: bytes, first_block: int, byte_count: int, *, out: np.ndarray | None = None, isa: str = ""
) -> np.ndarray:
    """Pseudorandom uint8 (byte_count,): AES_seed of the counters first_block, first_block + 1, …

    Into `out` if given, which has that many bytes.
    """
    out = np.empty(byte_count, np.uint8) if out is None else out
    if out.nbytes != byte_count:
        raise ValueError(f"out has {out.nbytes} bytes instead of {byte_count}")
    _native.symmetric.prg(seed, first_block, out, isa)
    return out


def hash_labels(
    seed: bytes,
    purpose: int,
    gadget: int,
    first_group: int,
    position: int,
    labels: np.ndarray,
    *,
    out: np.ndarray | None = None,
    isa: str = "",
) -> np.ndarray:
    """H of uint8 (groups, 32, 16) labels; group i is tweaked with first_group + i. Into `out` if given."""
    out = np.empty_like(labels) if out is None else out
    _native.symmetric.hash_labels(seed, purpose, gadget, first_group, position, labels, out, isa)
    return out
