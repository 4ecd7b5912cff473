"""Products of a secret of one party and a secret of the other as additive shares, from correlated OT.

    receiver (holds a)                        sender (holds b)
      OTs, choices: the bits of a  ---------->
                  <----------  corrections    share -sum 2^j X_0
      share sum 2^j (X_(a_j) + a_j tau_j)

Both shares add up to a b mod 2^bit_count. Bit j needs one OT and the low bit_count - j bits of b,
so a product costs bit_count OTs and bit_count (bit_count + 1) / 2 bits of corrections. Elements are
handled in groups of `LANES`; labels stand in the order [bit][group][lane][16 bytes], which is the order
of the correlated OTs of one slice.

Source: Gilboa, CRYPTO 1999, section 4.1, on the correlated OT of Asharov, Lindell, Schneider and
Zohner, CCS 2013. Which pad is used where: docs/threat-model.md, section 7.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.crypto.ot_extension import LABEL_BYTES, CotSender
from pi_bench.crypto.symmetric import LANES


def correction_words(bit_count: int) -> int:
    """uint32 words of corrections that a group of `LANES` products needs."""
    return bit_count * (bit_count + 1) // 2


def choice_bits(factor: np.ndarray, bit_count: int) -> np.ndarray:
    """The receiver's OT choices, uint8 packed little-bit-first: bit 0 of all elements, bit 1, and so on.

    factor: uint32 (groups * 32,), a.
    """
    planes = factor[None, :] >> np.arange(bit_count, dtype=np.uint32)[:, None]
    return np.packbits((planes & 1).astype(np.uint8), bitorder="little")


def product_send(
    cot: CotSender,
    hash_seed: bytes,
    number: int,
    first_group: int,
    bit_count: int,
    zero_labels: np.ndarray,
    factor: np.ndarray,
    *,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """(corrections, share) of the party that holds b.

    zero_labels: uint8 (bit_count, groups, 32, 16) of `cot`; factor: uint32 (groups * 32,), b. The
    corrections, uint32 (groups, correction_words), go to the receiver; the share is uint32 like b. One
    (hash_seed, number, group) is used once.

    Raises:
        ValueError, TypeError: a buffer of another size or type; bit_count not from 1 to 32.
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
    """The share of the party that holds a = `factor`, uint32 like it; see `product_send`."""
    share = np.empty_like(factor)
    _native.ot.product_receive(
        hash_seed, number, first_group, bit_count, active_labels, factor, corrections, share, threads
    )
    return share


def empty_labels(bit_count: int, group_count: int) -> np.ndarray:
    """Room for the labels of a slice."""
    return np.empty((bit_count, group_count, LANES, LABEL_BYTES), np.uint8)
