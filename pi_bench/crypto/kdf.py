"""Holds every key derivation of the two parties, so that domains can be compared in one place.

`derive_key` is HKDF-SHA256 (RFC 5869). It turns one master secret into keys for several purposes.
`domain_hash` is BLAKE2b (RFC 7693). It turns group elements or labels into OT keys, where the OT protocols
ask for a random oracle. Both encode their inputs injectively, by length prefixes, and no purpose of one is
a prefix of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pi_bench.crypto.secret import SecretBytes

_HKDF_SALT = b"pi-bench/1/hkdf"
_BLAKE2B_PERSON = b"pi-bench/1/hash"  # at most 16 bytes
_MIN_SECRET_BYTES = 16
_MAX_KEY_BYTES = 255 * 32  # of HKDF-SHA256

Part = bytes | bytearray | memoryview | np.ndarray


def derive_key(secret: bytes | SecretBytes, purpose: str, *context: Part, byte_count: int = 16) -> bytes:
    """Derives `byte_count` key bytes for `purpose` under `context`.

    Args:
        secret: at least 16 bytes.
        context: public values, such as the session, the inference and the direction.
        byte_count: 1 to 8160.

    >>> master = bytes(range(32))  # random in real use
    >>> len(derive_key(master, "reverse OT", b"session 1"))
    16
    >>> derive_key(master, "reverse OT", b"session 1") == derive_key(master, "reverse OT", b"session 2")
    False

    Raises:
        ValueError: the secret has fewer than 16 bytes, the purpose is empty, or the length is impossible.
    """
    if len(secret) < _MIN_SECRET_BYTES:
        raise ValueError(f"a master secret has at least {_MIN_SECRET_BYTES} bytes, not {len(secret)}")
    if not purpose or not 1 <= byte_count <= _MAX_KEY_BYTES:
        raise ValueError("a derived key needs a purpose and 1 to 8160 bytes")
    material = secret.array.data if isinstance(secret, SecretBytes) else secret
    info = encode_parts((purpose.encode(), *context))
    return HKDF(algorithm=SHA256(), length=byte_count, salt=_HKDF_SALT, info=info).derive(material)


def domain_hash(purpose: str, *parts: Part, byte_count: int = 16) -> bytes:
    """Hashes `purpose` and `parts` by BLAKE2b to `byte_count` (1 to 64) bytes.

    Parts are hashed with their lengths, so no two lists of parts collide by concatenation:

    >>> domain_hash("example", b"ab", b"c") == domain_hash("example", b"a", b"bc")
    False

    Raises:
        ValueError: the purpose is empty, or the length is impossible.
    """
    if not purpose:
        raise ValueError("a hash needs a purpose")
    hasher = hashlib.blake2b(digest_size=byte_count, person=_BLAKE2B_PERSON)
    hasher.update(encode_parts((purpose.encode(), *parts)))
    return hasher.digest()


def encode_parts(parts: Iterable[Part]) -> bytes:
    """Concatenates `parts`, each after its length as 8 little-endian bytes; the result determines the parts.

    >>> encode_parts([b"ab"])
    b'\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00ab'
    """
    encoded = bytearray()
    for part in parts:
        data = bytes(part)
        encoded += len(data).to_bytes(8, "little")
        encoded += data
    return bytes(encoded)
