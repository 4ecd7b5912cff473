"""Key derivation: known answers, separation of domains, no ambiguity."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.crypto.kdf import derive_key, domain_hash, encode_parts
from pi_bench.crypto.secret import SecretBytes

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "kdf.json").read_text())


def _hkdf(secret: bytes, salt: bytes, info: bytes, byte_count: int) -> bytes:
    """RFC 5869 from the standard library, as the oracle."""
    key = hmac.digest(salt, secret, "sha256")
    out = block = b""
    for counter in range(1, -(-byte_count // 32) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
    return out[:byte_count]


@pytest.mark.parametrize("vector", VECTORS["derive_key"])
def test_derive_key_vectors(vector: dict[str, object]) -> None:
    context = [bytes.fromhex(part) for part in vector["context"]]  # type: ignore[attr-defined]
    key = derive_key(
        bytes.fromhex(str(vector["secret"])),
        str(vector["purpose"]),
        *context,
        byte_count=int(str(vector["byte_count"])),
    )
    assert key.hex() == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["domain_hash"])
def test_domain_hash_vectors(vector: dict[str, object]) -> None:
    parts = [bytes.fromhex(part) for part in vector["parts"]]  # type: ignore[attr-defined]
    digest = domain_hash(str(vector["purpose"]), *parts, byte_count=int(str(vector["byte_count"])))
    assert digest.hex() == vector["digest"]


@given(st.binary(min_size=16, max_size=64), st.text(min_size=1, max_size=9), st.lists(st.binary(max_size=9)))
def test_derive_key_is_hkdf_sha256(secret: bytes, purpose: str, context: list[bytes]) -> None:
    info = encode_parts([purpose.encode(), *context])
    expected = _hkdf(secret, b"pi-bench/1/hkdf", info, 48)
    assert derive_key(secret, purpose, *context, byte_count=48) == expected


@pytest.mark.slow
@given(st.text(min_size=1, max_size=9), st.lists(st.binary(max_size=9)))
def test_domain_hash_is_personal_blake2b(purpose: str, parts: list[bytes]) -> None:
    data = b"".join(len(p).to_bytes(8, "little") + p for p in [purpose.encode(), *parts])
    expected = hashlib.blake2b(data, digest_size=16, person=b"pi-bench/1/hash").digest()
    assert domain_hash(purpose, *parts) == expected


_parts = st.lists(st.binary(max_size=4), max_size=4)


@given(_parts, _parts)
def test_encoding_is_injective(first: list[bytes], second: list[bytes]) -> None:
    assert (encode_parts(first) == encode_parts(second)) == (first == second)


def test_every_input_separates() -> None:
    secret = bytes(range(32))
    keys = {
        derive_key(secret, "a", b"bc"),
        derive_key(secret, "ab", b"c"),
        derive_key(secret, "a", b"b", b"c"),
        derive_key(secret, "a", b"bc", b""),
        derive_key(secret[::-1], "a", b"bc"),
        domain_hash("a", b"bc"),
        domain_hash("ab", b"c"),
        domain_hash("a", b"b", b"c"),
    }
    assert len(keys) == 8


def test_a_secret_in_locked_memory_gives_the_same_key() -> None:
    raw = bytes(range(32))
    with SecretBytes.copy_of(raw) as secret:
        assert derive_key(secret, "seed", np.arange(4, dtype=np.uint8)) == derive_key(
            raw, "seed", bytes(range(4))
        )


@pytest.mark.parametrize(
    ("secret", "purpose", "byte_count"),
    [(bytes(15), "p", 16), (bytes(16), "", 16), (bytes(16), "p", 0), (bytes(16), "p", 8161)],
)
def test_derive_key_refuses(secret: bytes, purpose: str, byte_count: int) -> None:
    with pytest.raises(ValueError):
        derive_key(secret, purpose, byte_count=byte_count)


@pytest.mark.parametrize(("purpose", "byte_count"), [("", 16), ("p", 0), ("p", 65)])
def test_domain_hash_refuses(purpose: str, byte_count: int) -> None:
    with pytest.raises(ValueError):
        domain_hash(purpose, byte_count=byte_count)
