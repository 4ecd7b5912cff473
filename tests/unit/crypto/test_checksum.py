"""The checksum of frames against a slow model, on every instruction-set path."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from pi_bench.crypto.checksum import Checksum
from pi_bench.crypto.symmetric import prg

BLOCK = 8192
SEED = bytes(range(16))


def product(a: int, b: int) -> int:
    return xor(a << i for i in range(64) if b >> i & 1)


def xor(values: Iterable[int]) -> int:
    total = 0
    for value in values:
        total ^= value
    return total


def field_product(a: int, b: int) -> int:
    total = xor(a << i for i in range(128) if b >> i & 1)
    for bit in range(254, 127, -1):
        if total >> bit & 1:
            total ^= (1 << 128 | 0x87) << (bit - 128)
    return total


def model(items: list[bytes]) -> bytes:
    """As `native/checksum/checksum.h` defines it."""
    key = prg(SEED, 0, BLOCK).tobytes()
    multiplier = int.from_bytes(prg(SEED, BLOCK // 16, 16).tobytes(), "little")
    value = 1
    for item in items:
        for start in range(0, len(item), BLOCK):
            block = item[start : start + BLOCK]
            total = len(block)
            padded = block + bytes(-len(block) % 16)
            for at in range(0, len(padded), 16):
                low, high = (
                    int.from_bytes(padded[i : i + 8], "little") ^ int.from_bytes(key[i : i + 8], "little")
                    for i in (at, at + 8)
                )
                total ^= product(low, high)
            value = field_product(value ^ total, multiplier)
    return value.to_bytes(16, "little")


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 255, 256, 300, 8191, 8192, 8193, 8192 + 16 * 15, 70_000])
def test_every_path_computes_the_model(isa: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    frames = [(b"h" * 36, data), (b"i" * 36, data[::-1])]
    checksum = Checksum(SEED, isa=isa)
    for header, payload in frames:
        checksum.add_frame(header, payload)
    assert checksum.digest() == model([item for frame in frames for item in frame])


def test_how_a_payload_is_cut_changes_nothing(isa: str) -> None:
    source = random.Random(7)
    data = source.randbytes(200_000)
    whole, parts = Checksum(SEED, isa=isa), Checksum(SEED, isa=isa)
    whole.add_frame(b"header", data)
    parts.add_header(b"header")
    position = 0
    while position < len(data):
        size = source.choice([0, 1, 5, 16, 33, 4096, 9000, 80_000])
        parts.add_part(memoryview(data)[position : position + size])
        position += size
    parts.end_payload()
    assert whole.digest() == parts.digest()


def test_every_bit_counts(isa: str) -> None:
    def digest(header: bytes, payload: bytes) -> bytes:
        checksum = Checksum(SEED, isa=isa)
        checksum.add_frame(header, payload)
        return checksum.digest()

    data = bytes(8192 + 50)
    seen = {digest(bytes(36), data), digest(bytes(36), data[1:]), digest(bytes(36), data + b"\0")}
    for bit in (*range(0, 8 * 40), *range(8 * 8180, 8 * len(data))):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        seen.add(digest(bytes(36), bytes(changed)))
    count = 3 + 8 * 40 + 8 * (len(data) - 8180)
    for bit in range(8 * 36):
        header = bytearray(36)
        header[bit // 8] ^= 1 << bit % 8
        seen.add(digest(bytes(header), data))
    assert len(seen) == count + 8 * 36


def test_order_and_key_count() -> None:
    one, other, keyed = Checksum(SEED), Checksum(SEED), Checksum(bytes(16))
    for payloads, checksum in (([b"a", b"b"], one), ([b"b", b"a"], other), ([b"a", b"b"], keyed)):
        for payload in payloads:
            checksum.add_frame(b"header", payload)
    assert len({one.digest(), other.digest(), keyed.digest()}) == 3
