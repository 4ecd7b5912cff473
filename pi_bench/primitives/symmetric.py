"""AES, the generator and the hash of labels. Scripts count none of them, since other primitives contain
them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pi_bench.crypto.symmetric import BLOCK_BYTES, LANES, aes128_encrypt, hash_labels, prg
from pi_bench.primitives.buffers import filled
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive

_CACHED_BYTES = 1 << 18
_KEY = bytes(BLOCK_BYTES)


def aes_cases(settings: CaseSettings) -> Iterator[Case]:
    """Yields the timed cases of AES-128 and of the label hash, in a cache and streamed from memory.

    The hash uses one key for each of the 32 lanes, as gadgets do.

    >>> [case.name for case in aes_cases(CaseSettings(count=64))][:2]
    ['AES-128, one key, in cache', 'hash of labels, in cache']
    """
    for where, byte_count in (("in cache", _CACHED_BYTES), ("streamed", _stream_bytes(settings))):
        blocks, out = filled(byte_count), filled(byte_count)
        memory = 2 * BLOCK_BYTES if where == "streamed" else 0
        yield Case(
            f"AES-128, one key, {where}",
            "block",
            byte_count // BLOCK_BYTES,
            1,
            MinimalWork(aes_blocks=1, memory_bytes=memory),
            partial(aes128_encrypt, _KEY, blocks, out=out, isa=settings.isa),
        )
        labels, hashes = blocks.reshape(-1, LANES, BLOCK_BYTES), out.reshape(-1, LANES, BLOCK_BYTES)
        yield Case(
            f"hash of labels, {where}",
            "label",
            byte_count // BLOCK_BYTES,
            1,
            MinimalWork(aes_blocks=1, memory_bytes=memory),
            partial(hash_labels, _KEY, 1, 1, 0, 0, labels, out=hashes, isa=settings.isa),
        )


def prg_cases(settings: CaseSettings) -> Iterator[Case]:
    """Expands a key into blocks that stay in a cache, then into blocks that stream to memory.

    >>> [case.unit_count for case in prg_cases(CaseSettings(count=64))]
    [16384, 1280]
    """
    for where, byte_count in (("in cache", _CACHED_BYTES), ("streamed", _stream_bytes(settings))):
        out = filled(byte_count)
        yield Case(
            f"generator, {where}",
            "block",
            byte_count // BLOCK_BYTES,
            1,
            MinimalWork(aes_blocks=1, memory_bytes=BLOCK_BYTES if where == "streamed" else 0),
            partial(prg, _KEY, 0, byte_count, out=out, isa=settings.isa),
        )


def _stream_bytes(settings: CaseSettings) -> int:
    """Returns as many bytes as the labels of a gadget of 20 bits take."""
    groups = -(-settings.count // LANES)
    return 20 * groups * LANES * BLOCK_BYTES


SYMMETRIC = Primitive("symmetric ciphers", families={"aes": aes_cases, "prg": prg_cases})
