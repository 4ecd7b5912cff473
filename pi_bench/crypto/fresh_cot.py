"""Starts fresh instances of correlated OT, with a new delta per inference, from OTs of another instance.

The 128 base OTs of SoftSpoken (ot_extension.py) are replaced by 128 correlated OTs of the reverse extension,
whose labels are hashed to keys.
"""

from __future__ import annotations

import numpy as np

from pi_bench.crypto.correlated_ot import Message
from pi_bench.crypto.kdf import domain_hash
from pi_bench.crypto.ot_extension import (
    COT_BITS,
    LABEL_BYTES,
    CotReceiver,
    CotSender,
    base_choice_bits,
)
from pi_bench.crypto.secret import SecretBytes, wipe


class FreshCotSender:
    """Starts a fresh instance, with a new delta per inference, without base OTs, as the COT sender.

    128 OTs of the reverse extension, chosen with NOT delta, take the place of base OTs. Their keys are
    BLAKE2b(context, index, label). `message` (512 bytes) goes to the other party, whose `fresh_cot_receiver`
    makes the `CotReceiver`; its tree message comes back to `finish`. `context` names the session and the
    inference, and is the same at both parties.

    >>> from pi_bench.crypto.ot_extension import random_delta
    >>> rng, old_delta = np.random.default_rng(2), random_delta(label=False)
    >>> pairs = rng.integers(0, 256, (128, 2, 16), np.uint8)
    >>> reverse_receiver = CotReceiver(pairs)
    >>> old_keys = pairs[np.arange(128), base_choice_bits(old_delta)]
    >>> reverse_sender = CotSender(old_delta, old_keys, reverse_receiver.tree_message)
    >>> fresh = FreshCotSender(reverse_receiver, random_delta(label=True), b"inference 7")
    >>> receiver = fresh_cot_receiver(reverse_sender, fresh.message, b"inference 7")
    >>> sender = fresh.finish(receiver.tree_message)
    >>> active, zero = np.empty((2, 32, 16), np.uint8)
    >>> sender.extend(receiver.extend(np.zeros(4, np.uint8), 32, active), 32, zero)
    >>> bool((active == zero).all())
    True
    """

    def __init__(self, reverse: CotReceiver, delta: SecretBytes, context: bytes) -> None:
        self._delta = delta
        choice_bits = np.packbits(base_choice_bits(delta), bitorder="little")
        labels = np.empty((COT_BITS, LABEL_BYTES), np.uint8)
        self.message = bytes(reverse.extend(choice_bits, COT_BITS, labels))
        self._keys = _fresh_keys(context, labels)
        wipe(labels)
        wipe(choice_bits)

    def finish(self, tree_message: Message) -> CotSender:
        """Makes the sender of the fresh instance.

        Raises:
            PeerError: the tree message does not have 4096 bytes.
        """
        sender = CotSender(self._delta, self._keys, tree_message)
        wipe(self._keys)
        return sender


def fresh_cot_receiver(reverse: CotSender, message: Message, context: bytes) -> CotReceiver:
    """Makes the receiver of a fresh instance; send its `tree_message` back to `FreshCotSender.finish`.

    Args:
        reverse: the sender of the extension that `FreshCotSender` is the receiver of.

    >>> with CotSender(bytes(16), np.zeros((128, 16), np.uint8), bytes(4096)) as reverse:
    ...     len(fresh_cot_receiver(reverse, bytes(512), b"inference 7").tree_message)
    4096

    Raises:
        PeerError: the message does not have 512 bytes.
    """
    labels = np.empty((2, COT_BITS, LABEL_BYTES), np.uint8)
    reverse.extend(message, COT_BITS, labels[0])
    np.bitwise_xor(labels[0], reverse.delta.array, out=labels[1])
    pairs = np.stack([_fresh_keys(context, labels[0]), _fresh_keys(context, labels[1])], axis=1)
    receiver = CotReceiver(pairs)
    wipe(labels)
    wipe(pairs)
    return receiver


def _fresh_keys(context: bytes, labels: np.ndarray) -> np.ndarray:
    keys = bytearray()
    for index, label in enumerate(labels):
        keys += domain_hash("fresh cot", context, index.to_bytes(4, "little"), label)
    return np.frombuffer(keys, np.uint8).reshape(COT_BITS, LABEL_BYTES)
