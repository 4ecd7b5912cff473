"""Extends correlated OTs: from 128 base OTs to any number of OTs.

SoftSpoken (Roy, CRYPTO 2022), semi-honest, over GF(2^4), makes any number of OTs of 4 bytes each from 128
base OTs. The module opens no socket. The messages of one instance:

    CotReceiver(base_key_pairs)  -- tree_message (4096 B), once -->  CotSender(delta, base_keys, ...)
    receiver.extend(choices, n)  -- extension_bytes(n) = 4 n B -->   sender.extend(message, n)

The base OTs run the other way: the COT sender is their receiver, with `base_choice_bits(delta)`.
tree_message is [tree 32][level 4][bit 2][16]: the XOR of the level's seeds whose last step is `bit`, xor
base key `bit` of OT 4 tree + level. An extension message is [tree 32][OTs / 8] for every chunk of 2,048 OTs
and for a shorter last one: the XOR of the tree's 16 generators, xor the packed choice bits. A leaf's
generator is AES-CTR. Every call starts at a multiple of 2,048 OTs, and both parties must extend by the same
counts in the same order.

The counters are private and never restart: two messages under one counter xor to the difference of the
choice bits. Leaf seeds stay in locked memory, are never written anywhere, and do not survive a fork; a new
process runs new base OTs.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from pi_bench import _native
from pi_bench.crypto.additive_ot import additive_send
from pi_bench.crypto.closed_context import ClosedContext
from pi_bench.crypto.correlated_ot import Message, check_size
from pi_bench.crypto.postponed_ots import PostponedOts, ReceiverOts, SenderOts
from pi_bench.crypto.secret import SecretBytes

COT_BITS = 128
LABEL_BYTES = 16
TREE_MESSAGE_BYTES: int = _native.ot.TREE_MESSAGE_BYTES
FRESH_BYTES = COT_BITS * 4
"""The size of `fresh_cot.FreshCotSender.message`."""


def extension_bytes(count: int) -> int:
    """Returns the size in bytes of the message that extends by `count` OTs.

    >>> extension_bytes(2048)
    8192

    Raises:
        ValueError: `count` is negative or no multiple of 32.
    """
    if count < 0 or count % 32:
        raise ValueError(f"OTs are extended in multiples of 32, not {count}")
    return 4 * count


def random_delta(*, label: bool, even: bool = False) -> SecretBytes:
    """Draws 16 random bytes into locked memory.

    If delta serves wire labels (`label`), bit 0 of byte 0 is set, for their color bit. If it serves FSS
    gadgets together with the labels' delta (`even`), bit 0 is cleared, so that the sum of both deltas is odd.

    >>> int(random_delta(label=True).array[0]) & 1, int(random_delta(label=False, even=True).array[0]) & 1
    (1, 0)

    Raises:
        ValueError: both are asked for.
    """
    if label and even:
        raise ValueError("the delta of labels is odd; ask for one of label and even")
    delta = SecretBytes.random(LABEL_BYTES)
    delta.array[0] = delta.array[0] & np.uint8(0xFE if even else 0xFF) | np.uint8(label)
    return delta


def base_choice_bits(delta: bytes | SecretBytes) -> np.ndarray:
    """Returns the choice bits, uint8 (128,), of a COT sender's base OTs: NOT delta, little-bit-first.

    >>> base_choice_bits(b"\\x05" + bytes(15))[:4].tolist()
    [0, 1, 0, 1]

    Raises:
        ValueError: delta does not have 16 bytes.
    """
    return 1 - np.unpackbits(_bytes_of(delta, "delta", (LABEL_BYTES,)), bitorder="little")


class _Instance(ClosedContext):
    """Leaf seeds and a counter that only goes up."""

    def __init__(self) -> None:
        self._leaves = SecretBytes(_native.ot.LEAF_BYTES)
        self._next_chunk = 0

    def _take_chunks(self, count: int) -> int:
        """Takes the chunks of `count` OTs and returns the first one. A call that fails burns them, too."""
        extension_bytes(count)
        first = self._next_chunk
        self._next_chunk += -(-count // _native.ot.CHUNK_OTS)
        return first

    def close(self) -> None:
        """Wipes the secrets; the instance cannot be used afterwards."""
        self._leaves.close()


class CotReceiver(_Instance):
    """Chooses bits and gets active labels: zero_label xor choice delta.

    Args:
        base_key_pairs: uint8 (128, 2, 16), both keys of base OTs in which this party was the sender. They pad
            `tree_message` and must serve nothing else.

    >>> delta = random_delta(label=True)
    >>> pairs = np.random.default_rng(1).integers(0, 256, (128, 2, 16), np.uint8)  # by base OTs in real use
    >>> receiver = CotReceiver(pairs)
    >>> keys = pairs[np.arange(128), base_choice_bits(delta)]
    >>> sender = CotSender(delta, keys, receiver.tree_message)
    >>> active, zero = np.empty((2, 32, 16), np.uint8)
    >>> sender.extend(receiver.extend(np.array([1, 0, 0, 0], np.uint8), 32, active), 32, zero)
    >>> bool((active[0] == zero[0] ^ delta.array).all()), bool((active[1:] == zero[1:]).all())
    (True, True)

    Raises:
        ValueError: the key pairs have another shape or dtype.
    """

    def __init__(self, base_key_pairs: np.ndarray) -> None:
        pairs = _bytes_of(base_key_pairs, "base key pairs", (COT_BITS, 2, LABEL_BYTES))
        super().__init__()
        message = bytearray(TREE_MESSAGE_BYTES)
        with SecretBytes.random(_native.ot.ROOT_BYTES) as roots:
            _native.ot.grow_trees(roots.array, pairs, self._leaves.array, message)
        self.tree_message = bytes(message)

    def extend(
        self, choice_bits: np.ndarray, count: int, out_labels: np.ndarray, *, threads: int = 1
    ) -> bytearray:
        """Makes the message for the sender and writes the active labels into `out_labels`.

        Args:
            choice_bits: uint8 (count / 8,), little-bit-first.
            count: a multiple of 32.
            out_labels: uint8 of 16 `count` bytes.

        Raises:
            ValueError: the choice bits or the labels have another shape, size or dtype.
        """
        message = bytearray(extension_bytes(count))
        _bytes_of(choice_bits, "packed choice bits", (count // 8,))
        _check_labels(out_labels, count)
        _native.ot.extend_receiver(
            self._leaves.array, self._take_chunks(count), count, choice_bits, message, out_labels, threads
        )
        return message

    def extend_within(
        self, choice_bits: np.ndarray, count: int
    ) -> tuple[bytearray, PostponedOts[ReceiverOts]]:
        """Takes the counters of `extend`, and leaves the message and the labels to the kernel that uses them.

        Returns the message for the sender, and the OTs. The kernel fills the message and writes no label to
        memory that lasts. Then the sender extends as usual. The arguments are those of `extend`:

        >>> with CotReceiver(np.zeros((128, 2, 16), np.uint8)) as receiver:
        ...     message, ots = receiver.extend_within(np.zeros(4, np.uint8), 32)
        >>> len(message)
        128

        Raises:
            ValueError: the choice bits have another shape or dtype.
        """
        message = bytearray(extension_bytes(count))
        _bytes_of(choice_bits, "packed choice bits", (count // 8,))
        return message, PostponedOts(
            partial(self._ots, choice_bits, message, count, self._take_chunks(count))
        )

    def _ots(self, choice_bits: np.ndarray, message: bytearray, count: int, first_chunk: int) -> ReceiverOts:
        """Reads the secrets, which are gone once the instance is closed."""
        return ReceiverOts(
            leaves=self._leaves.array,
            first_chunk=first_chunk,
            count=count,
            choice_bits=choice_bits,
            message=message,
        )


class CotSender(_Instance):
    """Holds delta and gets the zero labels.

    Args:
        delta: 16 bytes, copied into locked memory.
        base_keys: uint8 (128, 16), received with `base_choice_bits(delta)`.
        tree_message: the receiver's.

    >>> with CotSender(bytes(16), np.zeros((128, 16), np.uint8), bytes(TREE_MESSAGE_BYTES)) as sender:
    ...     zero_labels = np.empty((64, 16), np.uint8)
    ...     sender.extend(bytes(extension_bytes(64)), 64, zero_labels)

    Raises:
        PeerError: the tree message does not have 4096 bytes.
        ValueError: delta or the base keys have another shape or dtype.
    """

    def __init__(self, delta: bytes | SecretBytes, base_keys: np.ndarray, tree_message: Message) -> None:
        delta_bytes = _bytes_of(delta, "delta", (LABEL_BYTES,))
        keys = _bytes_of(base_keys, "base keys", (COT_BITS, LABEL_BYTES))
        check_size(tree_message, TREE_MESSAGE_BYTES, "correlated OT: the tree message")
        super().__init__()
        self._delta = SecretBytes.copy_of(delta_bytes)
        _native.ot.puncture_trees(self._delta.array, keys, tree_message, self._leaves.array)

    def extend(self, message: Message, count: int, out_zero_labels: np.ndarray, *, threads: int = 1) -> None:
        """Writes zero labels, uint8 of 16 `count` bytes, from the receiver's message.

        Raises:
            PeerError: the message does not have `extension_bytes(count)` bytes.
            ValueError: the labels have another size, or the count is no multiple of 32.
        """
        check_size(message, extension_bytes(count), "correlated OT: the extension message")
        _check_labels(out_zero_labels, count)
        first = self._take_chunks(count)
        _native.ot.extend_sender(
            self._leaves.array, self._delta.array, first, count, message, out_zero_labels, threads
        )

    def postpone(self, message: Message, count: int) -> PostponedOts[SenderOts]:
        """Takes the counters of `extend`, and leaves the labels to the kernel that uses them.

        >>> with CotSender(bytes(16), np.zeros((128, 16), np.uint8), bytes(TREE_MESSAGE_BYTES)) as sender:
        ...     type(sender.postpone(bytes(extension_bytes(64)), 64).take()).__name__
        'SenderOts'

        Raises:
            PeerError: the message does not have `extension_bytes(count)` bytes.
        """
        check_size(message, extension_bytes(count), "correlated OT: the extension message")
        return PostponedOts(partial(self._ots, message, count, self._take_chunks(count)))

    def _ots(self, message: Message, count: int, first_chunk: int) -> SenderOts:
        """Reads the secrets, which are gone once the instance is closed."""
        return SenderOts(
            leaves=self._leaves.array,
            delta=self._delta.array,
            first_chunk=first_chunk,
            count=count,
            message=message,
        )

    def additive_send(
        self,
        hash_seed: bytes,
        gadget: int,
        first_group: int,
        zero_labels: np.ndarray,
        correlation: np.ndarray,
        *,
        threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Calls `additive_send` with the delta of this instance."""
        return additive_send(
            self._delta, hash_seed, gadget, first_group, zero_labels, correlation, threads=threads
        )

    @property
    def delta(self) -> SecretBytes:
        """The delta for kernels that make both labels of an OT. It is wiped with the instance."""
        return self._delta

    def close(self) -> None:
        super().close()
        self._delta.close()


def _bytes_of(data: bytes | SecretBytes | np.ndarray, what: str, shape: tuple[int, ...]) -> np.ndarray:
    """Returns `data` as contiguous uint8 of `shape`, or raises ValueError."""
    if isinstance(data, SecretBytes):
        array = data.array
    else:
        array = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(f"{what}: need uint8 of shape {shape}, got {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array)


def _check_labels(labels: np.ndarray, count: int) -> None:
    """Checks labels before a counter is taken, so that a caller's mistake puts no party out of step."""
    if labels.dtype != np.uint8 or labels.nbytes != LABEL_BYTES * count:
        raise ValueError(f"labels of {count} OTs are uint8 of {LABEL_BYTES * count} bytes")
