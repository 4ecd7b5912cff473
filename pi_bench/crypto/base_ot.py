"""Runs random base OTs over edwards25519: n pairs of 16-byte keys, of which the receiver gets one each.

Paper: Chou and Orlandi, "The Simplest Protocol for Oblivious Transfer", LATINCRYPT 2015, figure 1.

    sender                          receiver (choice bits c_i)
    y random, S = yG    -- S -->    x_i random, R_i = x_i G + c_i S
                        <- R_i --   key_i = H(i, S, R_i, x_i S)
    key_i,0 = H(i, S, R_i, y R_i),  key_i,1 = H(i, S, R_i, y R_i - yS)

The first version of the paper derived keys from the last point alone. One S for all i then let equal R_i
give equal keys, and messages could be carried between runs. Its ePrint revision hashes S and R_i too. Here
the index, the session and the direction (both in `context`) are hashed as well. The proof of universal
composability has a gap for malicious receivers (Genc, Iovino and Rial, ePrint 2017/370; Hauck and Loss,
ePrint 2017/1011), which does not concern the semi-honest model of this project.

The group has a cofactor. Every point received must be canonical, on the curve, in the subgroup of prime
order and not the identity. The receiver runs in constant time in its choice bits: it computes both
candidates of R_i and selects one by masks. Scalars live in immutable bytes for the length of a call,
because the group bindings take nothing else. The caller wipes the keys.
"""

from __future__ import annotations

import os

import numpy as np
from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from pi_bench.crypto.kdf import domain_hash
from pi_bench.errors import PeerError

POINT_BYTES = 32
KEY_BYTES = 16
MESSAGE_BYTES = POINT_BYTES
MAX_COUNT = 1 << 16


def reply_bytes(count: int) -> int:
    """Returns the size in bytes of the receiver's only message, for `count` OTs.

    >>> reply_bytes(128)
    4096
    """
    return POINT_BYTES * count


def ot_context(session_id: bytes, direction: str) -> bytes:
    """Returns 32 bytes that bind keys to a session and a direction.

    `session_id` holds both parties' parts of the id; `direction` is any word on which both parties agree.

    >>> len(ot_context(bytes(32), "server to client"))
    32
    """
    return domain_hash("base-ot context", session_id, direction.encode(), byte_count=32)


class BaseOtSender:
    """Makes both keys of each OT. Its `message` of 32 bytes goes to the receiver first.

    Args:
        context: as `ot_context` makes it, the same at both parties.

    >>> context = ot_context(bytes(32), "example")
    >>> sender = BaseOtSender(context)
    >>> receiver = BaseOtReceiver(context, sender.message, np.array([0, 1, 1], np.uint8))
    >>> pairs = sender.keys(receiver.reply)
    >>> pairs.shape, bool((pairs[[0, 1, 2], [0, 1, 1]] == receiver.keys).all())
    ((3, 2, 16), True)
    """

    def __init__(self, context: bytes) -> None:
        self._context = context
        self._y: bytes | None = _random_scalar()
        self.message: bytes = sodium.crypto_scalarmult_ed25519_base_noclamp(self._y)

    def keys(self, reply: bytes | bytearray | memoryview) -> np.ndarray:
        """Computes the key pairs, uint8 (n, 2, 16), from a reply of 32 n bytes. It works once.

        The scalar is dropped, so that a second reply cannot be answered.

        Raises:
            PeerError: the reply is not 1 to 65536 points, or one of them is invalid.
            ValueError: this is a second call.
        """
        y, self._y = self._y, None
        if y is None:
            raise ValueError("these base OTs were finished before")
        points = _points_of(reply)
        t = sodium.crypto_scalarmult_ed25519_noclamp(y, self.message)
        keys = np.empty((len(points), 2, KEY_BYTES), np.uint8)
        for index, point in enumerate(points):
            first = sodium.crypto_scalarmult_ed25519_noclamp(y, point)
            second = sodium.crypto_core_ed25519_sub(first, t)
            for choice, shared in enumerate((first, second)):
                keys[index, choice] = _key(self._context, index, self.message, point, shared)
        return keys


class BaseOtReceiver:
    """Chooses one key of each OT: `reply` goes back to the sender, `keys`, uint8 (n, 16), stay.

    Args:
        context: the sender's.
        message: the sender's 32 bytes.
        choice_bits: uint8 (n,), each 0 or 1.

    >>> sender = BaseOtSender(bytes(32))
    >>> receiver = BaseOtReceiver(bytes(32), sender.message, np.array([1, 0], np.uint8))
    >>> len(receiver.reply), receiver.keys.shape
    (64, (2, 16))

    Raises:
        PeerError: `message` is not one valid point.
        ValueError: the choice bits have another shape, dtype or value.
    """

    def __init__(
        self, context: bytes, message: bytes | bytearray | memoryview, choice_bits: np.ndarray
    ) -> None:
        if choice_bits.dtype != np.uint8 or choice_bits.ndim != 1 or not 1 <= choice_bits.size <= MAX_COUNT:
            raise ValueError("choice bits are a uint8 vector of 1 to 65536 entries")
        if np.bitwise_or.reduce(choice_bits) > 1:
            raise ValueError("choice bits are 0 or 1")
        if len(message) != MESSAGE_BYTES:
            raise PeerError(f"base OT: the sender's message has {len(message)} bytes, not {MESSAGE_BYTES}")
        (s,) = _points_of(message)
        count = choice_bits.size
        scalars = [_random_scalar() for _ in range(count)]
        zeros = [sodium.crypto_scalarmult_ed25519_base_noclamp(x) for x in scalars]
        ones = [sodium.crypto_core_ed25519_add(point, s) for point in zeros]
        selected = _select(_rows(zeros), _rows(ones), choice_bits)
        self.reply: bytes = selected.tobytes()
        self.keys = np.empty((count, KEY_BYTES), np.uint8)
        for index, x in enumerate(scalars):
            shared = sodium.crypto_scalarmult_ed25519_noclamp(x, s)
            self.keys[index] = _key(context, index, s, selected[index].tobytes(), shared)


def _random_scalar() -> bytes:
    """Draws a number that is uniform modulo the order of the group, up to a distance of 2^-250."""
    return sodium.crypto_core_ed25519_scalar_reduce(os.urandom(64))


def _rows(points: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(points), np.uint8).reshape(-1, POINT_BYTES)


def _select(zeros: np.ndarray, ones: np.ndarray, choice_bits: np.ndarray) -> np.ndarray:
    """Takes row i of `ones` where choice bit i is 1, and of `zeros` elsewhere, by masks."""
    mask = (-choice_bits.astype(np.int8)).view(np.uint8)[:, None]
    selected: np.ndarray = zeros ^ (mask & (zeros ^ ones))
    return selected


def _points_of(data: bytes | bytearray | memoryview) -> list[bytes]:
    raw = bytes(data)
    count, rest = divmod(len(raw), POINT_BYTES)
    if rest or not 1 <= count <= MAX_COUNT:
        raise PeerError(f"base OT: {len(raw)} bytes are not 1 to {MAX_COUNT} points of {POINT_BYTES} bytes")
    points = [raw[POINT_BYTES * i : POINT_BYTES * (i + 1)] for i in range(count)]
    for point in points:
        if not _is_valid(point):
            raise PeerError("base OT: the peer sent an invalid point of the group")
    return points


def _is_valid(point: bytes) -> bool:
    try:
        return bool(sodium.crypto_core_ed25519_is_valid_point(point))
    except CryptoError:
        return False


def _key(context: bytes, index: int, s: bytes, r: bytes, shared: bytes) -> np.ndarray:
    digest = domain_hash(
        "base-ot key", context, index.to_bytes(4, "little"), s, r, shared, byte_count=KEY_BYTES
    )
    return np.frombuffer(digest, np.uint8)
