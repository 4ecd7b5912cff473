"""AES, generator and hash against independent AES, on every instruction-set path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from pi_bench import _native
from pi_bench.crypto import symmetric
from pi_bench.errors import EnvironmentUnsupportedError

VECTORS = Path(__file__).parents[2] / "vectors" / "aes128.json"


def oracle_aes(key: bytes, blocks: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)


def oracle_sigma(label: bytes) -> bytes:
    value = int.from_bytes(label, "little")
    high, low = value >> 64, value & (2**64 - 1)
    return ((high ^ low) << 64 | high).to_bytes(16, "little")


def oracle_hash(seed: bytes, purpose: int, gadget: int, group: int, position: int, label: bytes) -> bytes:
    tweak = purpose << 120 | gadget << 96 | group << 64 | position << 40
    key = (int.from_bytes(seed, "little") ^ tweak).to_bytes(16, "little")
    permuted = oracle_sigma(label)
    return bytes(a ^ b for a, b in zip(oracle_aes(key, permuted), permuted, strict=True))


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text())["cases"], ids=["appendix B", "C.1"])
def test_aes_known_answers(isa: str, case: dict[str, str]) -> None:
    block = np.frombuffer(bytes.fromhex(case["plaintext"]), np.uint8)
    out = symmetric.aes128_encrypt(bytes.fromhex(case["key"]), block, isa=isa)
    assert out.tobytes().hex() == case["ciphertext"]


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8, 9, 31, 32, 33, 100])
def test_aes_equals_oracle(isa: str, count: int) -> None:
    key, blocks = os.urandom(16), os.urandom(16 * count)
    out = symmetric.aes128_encrypt(key, np.frombuffer(blocks, np.uint8), isa=isa)
    assert out.tobytes() == oracle_aes(key, blocks)


@given(first=st.integers(0, 2**64 - 200), size=st.integers(0, 1600))
def test_prg_is_aes_of_counters(first: int, size: int) -> None:
    seed = os.urandom(16)
    counters = b"".join((first + i).to_bytes(16, "little") for i in range(-(-size // 16)))
    expected = oracle_aes(seed, counters)[:size]
    for isa in ("portable", "aesni", ""):
        assert symmetric.prg(seed, first, size, isa=isa).tobytes() == expected


@pytest.mark.parametrize("groups", [1, 2, 15, 16, 17, 35])
def test_hash_equals_oracle(isa: str, groups: int) -> None:
    # Random labels have different halves, so a sigma that loses one fails here.
    seed, labels = os.urandom(16), os.urandom(16 * 32 * groups)
    where = {"purpose": 0xA5, "gadget": 0xFEDCBA, "position": 0x876543}
    out = symmetric.hash_labels(
        seed,
        first_group=0xFFFFFF00,
        labels=np.frombuffer(labels, np.uint8).reshape(groups, 32, 16),
        isa=isa,
        **where,
    )
    expected = b"".join(
        oracle_hash(seed, 0xA5, 0xFEDCBA, 0xFFFFFF00 + i // 32, 0x876543, labels[16 * i : 16 * i + 16])
        for i in range(32 * groups)
    )
    assert out.tobytes() == expected


def test_every_input_bit_reaches_the_hash(isa: str) -> None:
    seed, base = os.urandom(16), np.frombuffer(os.urandom(16), np.uint8)
    flipped = base ^ np.packbits(np.eye(128, dtype=np.uint8), axis=1, bitorder="little")
    labels = np.concatenate([flipped, np.broadcast_to(base, (32, 16))]).reshape(5, 32, 16)
    # One key for all: each group on its own, under the same tweak.
    out = np.concatenate(
        [symmetric.hash_labels(seed, 1, 2, 3, 4, labels[i : i + 1], isa=isa) for i in range(5)]
    ).reshape(-1, 16)
    assert len({row.tobytes() for row in out[:129]}) == 129
    # And not only through the final xor: about half of the output changes for each bit.
    changed = np.unpackbits(out[:128] ^ out[128], axis=1).sum(axis=1)
    assert changed.min() > 20 and changed.max() < 108


def test_sigma_and_its_orthomorphism_are_bijective(isa: str) -> None:
    """sigma of each unit vector, recovered from the kernel's H: it is the one candidate of the form
    that the oracle's AES confirms; then both maps have full rank over GF(2)."""
    seed, units = os.urandom(16), np.packbits(np.eye(128, dtype=np.uint8), axis=1, bitorder="little")
    out = symmetric.hash_labels(seed, 1, 0, 0, 0, units.reshape(4, 32, 16), isa=isa).reshape(128, 16)
    matrix = np.zeros((128, 128), np.uint8)
    for bit, label in enumerate(units):
        assert out[bit].tobytes() == oracle_hash(seed, 1, 0, bit // 32, 0, label.tobytes())
        image = np.frombuffer(oracle_sigma(label.tobytes()), np.uint8)
        matrix[bit] = np.unpackbits(image, bitorder="little")
    assert rank_gf2(matrix) == 128
    assert rank_gf2(matrix ^ np.eye(128, dtype=np.uint8)) == 128


def rank_gf2(matrix: np.ndarray) -> int:
    rows = [int.from_bytes(np.packbits(row).tobytes(), "big") for row in matrix]
    rank = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return rank


def test_sizes_and_types_are_checked() -> None:
    labels = np.zeros((1, 32, 16), np.uint8)
    with pytest.raises(ValueError, match="seed"):
        symmetric.hash_labels(b"short", 1, 0, 0, 0, labels)
    with pytest.raises(ValueError, match="labels"):
        symmetric.hash_labels(bytes(16), 1, 0, 0, 0, labels[:, :31].copy())
    with pytest.raises(ValueError, match="24"):
        symmetric.hash_labels(bytes(16), 1, 1 << 24, 0, 0, labels)
    with pytest.raises(ValueError, match="32 bits"):
        two = np.zeros((2, 32, 16), np.uint8)
        symmetric.hash_labels(bytes(16), 1, 0, (1 << 32) - 1, 0, two)  # the second group has number 2^32
    with pytest.raises(TypeError, match="labels"):
        _native.symmetric.hash_labels(bytes(16), 1, 0, 0, 0, labels[:, ::2], labels[:, ::2])
    with pytest.raises(TypeError, match="blocks"):
        _native.symmetric.aes128_encrypt(bytes(16), np.zeros(16, np.uint32), np.zeros(16, np.uint32))
    with pytest.raises((BufferError, ValueError)):
        _native.symmetric.prg(bytes(16), 0, bytes(16))
    with pytest.raises(ValueError, match="out"):
        _native.symmetric.aes128_encrypt(bytes(16), bytes(32), bytearray(16))


def test_resolve_isa() -> None:
    resolve = _native.symmetric.resolve_isa
    assert resolve("portable") == "portable"
    assert resolve("aesni") == "aesni"
    assert resolve("auto") in ("aesni", "vaes512")
    with pytest.raises(_native.symmetric.UnsupportedCpuError, match="AES-NI"):
        resolve("none")
    with pytest.raises(ValueError, match="use auto, vaes512, aesni, portable or none"):
        resolve("sse9")


@pytest.mark.parametrize(
    ("request_", "message"),
    [("none", "AES-NI is switched off"), ("sse9", "use auto"), ("aesni", ""), ("portable", "")],
)
def test_require_isa_reads_the_environment(request_: str, message: str) -> None:
    code = (
        "from pi_bench.crypto.symmetric import require_isa\n"
        "from pi_bench.errors import EnvironmentUnsupportedError\n"
        "try: print(require_isa())\n"
        "except EnvironmentUnsupportedError as error: print('refused', error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PI_BENCH_ISA": request_},
        capture_output=True,
        text=True,
        check=True,
    )
    if message:
        assert run.stdout.startswith("refused") and message in run.stdout
    else:
        assert run.stdout == f"{request_}\n"


def test_require_isa_raises_the_documented_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise _native.symmetric.UnsupportedCpuError("this processor has no AES-NI")

    monkeypatch.setattr(_native.symmetric, "selected_isa", refuse)
    with pytest.raises(EnvironmentUnsupportedError, match="no AES-NI"):
        symmetric.require_isa()
