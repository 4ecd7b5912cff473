"""Multiplies a secret of one party by a secret of the other, from correlated OT, into additive shares.

    receiver (holds a)                        sender (holds b)
      OTs, choices: the bits of a  ---------->
                  <----------  corrections    share -sum 2^j X_0
      share sum 2^j (X_(a_j) + a_j tau_j)

Both shares add up to a b mod 2^bit_count. Bit j needs one OT and the low bit_count - j bits of b, so a
product costs bit_count OTs and bit_count (bit_count + 1) / 2 bits of corrections. Elements are handled in
groups of `LANES`; labels are ordered [bit][group][lane][16 bytes], which is the order of the correlated
OTs of one slice.

Source: Gilboa, CRYPTO 1999, section 4.1, on the correlated OT of Asharov, Lindell, Schneider and Zohner,
CCS 2013. docs/threat-model.md, section 7, says where each pad is used.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.crypto.correlated_ot import OtSender
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.symmetric import LANES


def correction_words(bit_count: int) -> int:
    """Returns how many uint32 words of corrections a group of `LANES` products needs.

    >>> correction_words(32)
    528
    """
    return bit_count * (bit_count + 1) // 2


def choice_bits(factor: np.ndarray, bit_count: int) -> np.ndarray:
    """Returns the receiver's OT choices, uint8 packed little-bit-first: bit 0 of all elements, bit 1, ...

    Args:
        factor: uint32 (groups * 32,), the receiver's factor a.
        bit_count: 1 to 32.

    >>> choice_bits(np.full(32, 2, np.uint32), 2).tolist()  # bit 0 of 32 elements, then bit 1
    [0, 0, 0, 0, 255, 255, 255, 255]
    """
    planes = factor[None, :] >> np.arange(bit_count, dtype=np.uint32)[:, None]
    return np.packbits((planes & 1).astype(np.uint8), bitorder="little")


def product_send(
    cot: OtSender,
    hash_seed: bytes,
    number: int,
    first_group: int,
    bit_count: int,
    zero_labels: np.ndarray,
    factor: np.ndarray,
    *,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Computes (corrections, share) of the party that holds b.

    The corrections, uint32 (groups, correction_words), go to the receiver; the share is uint32 like b. Use
    each (hash_seed, number, group) once.

    Args:
        hash_seed: 16 bytes.
        number: 24 bits, unique among the multiplications of an inference.
        first_group: 32 bits.
        zero_labels: uint8 (bit_count, groups, 32, 16) of `cot`.
        factor: uint32 (groups * 32,), b.

    >>> from types import SimpleNamespace
    >>> delta = SimpleNamespace(array=np.arange(16, dtype=np.uint8))  # a `CotSender` holds it in real use
    >>> a, b = np.full(32, 6, np.uint32), np.full(32, 7, np.uint32)
    >>> zero = empty_labels(4, 1)
    >>> zero[...] = 0  # random, from `CotSender.extend`, in real use
    >>> corrections, share_b = product_send(SimpleNamespace(delta=delta), bytes(16), 1, 0, 4, zero, b)
    >>> choices = np.unpackbits(choice_bits(a, 4), bitorder="little").reshape(4, 1, 32, 1)
    >>> share_a = product_receive(bytes(16), 1, 0, 4, zero ^ choices * delta.array, a, corrections)
    >>> set(((share_a + share_b) % 2**4).tolist())  # 6 * 7 mod 2^4
    {10}

    Raises:
        ValueError, TypeError: a buffer has another size or type, or bit_count is not from 1 to 32.
    """
    corrections = np.empty((factor.size // LANES, correction_words(bit_count)), np.uint32)
    share = np.empty_like(factor)
    _native.ot.product_send(
        cot.delta.array,
        hash_seed,
        number,
        first_group,
        bit_count,
        zero_labels,
        factor,
        corrections,
        share,
        threads,
    )
    return corrections, share


def product_receive(
    hash_seed: bytes,
    number: int,
    first_group: int,
    bit_count: int,
    active_labels: np.ndarray,
    factor: np.ndarray,
    corrections: np.ndarray,
    *,
    threads: int = 1,
) -> np.ndarray:
    """Computes the share of the party that holds a = `factor`: uint32 like it.

    `product_send` shows a whole product.

    Args:
        active_labels: uint8 (bit_count, groups, 32, 16), received with `choice_bits(factor, bit_count)`.
        corrections: uint32 (groups, correction_words) of the other party.

    >>> a, corrections = np.zeros(32, np.uint32), np.zeros((1, correction_words(8)), np.uint32)
    >>> product_receive(bytes(16), 1, 0, 8, np.zeros((8, 1, 32, 16), np.uint8), a, corrections).shape
    (32,)

    Raises:
        ValueError, TypeError: as `product_send`.
    """
    share = np.empty_like(factor)
    _native.ot.product_receive(
        hash_seed, number, first_group, bit_count, active_labels, factor, corrections, share, threads
    )
    return share


def empty_labels(bit_count: int, group_count: int) -> np.ndarray:
    """Allocates uint8 (bit_count, group_count, 32, 16) for the labels of a slice, uninitialized.

    >>> empty_labels(8, 2).shape
    (8, 2, 32, 16)
    """
    return np.empty((bit_count, group_count, LANES, LABEL_BYTES), np.uint8)
