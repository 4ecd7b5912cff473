"""Runs AES-128, the AES-CTR generator and the hash of labels on the native backend.

The hash is H(x, j) = AES_{S xor j}(sigma(x)) xor sigma(x), with sigma(L || R) = (L xor R) || L and L the
high 64 bits. 32 labels share a key. The tweak j has the purpose in bits 120 to 127, the gadget's number in
bits 96 to 119, the number of the group of 32 in bits 64 to 95, the position in bits 40 to 63, and zeros
below. Blocks are little-endian integers.

Source: the hash of Guo, Katz, Wang and Yu (IEEE S&P 2020), here with a key per tweak. docs/threat-model.md,
section 6, has the bound.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.errors import EnvironmentUnsupportedError

BLOCK_BYTES = 16
SEED_BYTES = 16
"""The bytes of a 128-bit seed of a hash, of labels or of a checksum."""

LANES = 32
"""Elements that are evaluated in lock step and share one hash key per position."""


def require_isa() -> str:
    """Returns the instruction set that the kernels use: ``"vaes512"``, ``"aesni"`` or ``"portable"``.

    The environment variable ``PI_BENCH_ISA`` (auto, vaes512, aesni, portable, none) overrides the choice. It
    is read once per process. The portable code runs in constant time and is many times slower; it serves
    processors without AES instructions. With none, every kernel refuses.

    >>> require_isa() in ("vaes512", "aesni", PORTABLE)
    True

    Raises:
        EnvironmentUnsupportedError: this processor lacks the instruction set that was asked for.
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
    """Encrypts uint8 (..., 16) blocks by AES-128 in ECB mode under a 16-byte key; into `out` if given.

    The first test vector of FIPS 197, appendix B:

    >>> key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    >>> block = np.frombuffer(bytes.fromhex("3243f6a8885a308d313198a2e0370734"), np.uint8)
    >>> aes128_encrypt(key, block).tobytes().hex()
    '3925841d02dc09fbdc118597196a0b32'

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or `isa` names no instruction set.
    """
    out = np.empty_like(blocks) if out is None else out
    _native.symmetric.aes128_encrypt(key, blocks, out, isa)
    return out


def prg(
    seed: bytes, first_block: int, byte_count: int, *, out: np.ndarray | None = None, isa: str = ""
) -> np.ndarray:
    """Expands a 16-byte seed to uint8 (byte_count,): AES_seed of first_block, first_block + 1, and so on.

    Writes into `out`, which has `byte_count` bytes, if it is given. Block i of a stream can be made alone:

    >>> seed = bytes(range(16))
    >>> bool((prg(seed, 0, 48)[32:] == prg(seed, 2, 16)).all())
    True

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or `first_block` is not 0 to 2^64 - 1.
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
    """Hashes uint8 (groups, 32, 16) labels to as many bytes; group i has the number first_group + i.

    Writes into `out` if it is given.

    Args:
        seed: 16 bytes, fresh for every inference.
        purpose: 8 bits; with the other numbers and that of the group it is the tweak (module docstring).
        gadget, position: 24 bits each.

    >>> labels = np.zeros((2, 32, 16), np.uint8)
    >>> hashes = hash_labels(bytes(16), 1, 0, 0, 0, labels)
    >>> bool((hashes[0] == hashes[0, 0]).all()), bool((hashes[0] == hashes[1]).all())  # a key per group
    (True, False)

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or a number has too many bits.
    """
    out = np.empty_like(labels) if out is None else out
    _native.symmetric.hash_labels(seed, purpose, gadget, first_group, position, labels, out, isa)
    return out
