"""Shares of products: against the ideal functionality, and the words against an oracle over the hash."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench import _native
from pi_bench.crypto import gilboa
from pi_bench.crypto.ot_extension import extension_bytes
from pi_bench.crypto.symmetric import LANES, hash_labels

from .conftest import CotInstance, random_bytes

PRODUCT_OT = 10  # the purpose's code, part of the wire's definition


def _words(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)


def _labels(bit_count: int, a: np.ndarray, delta: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(zero, active) labels (bits, groups, 32, 16) for the bits of a."""
    zero = random_bytes((bit_count, a.size // LANES, LANES, 16), seed)
    bits = (a[None] >> np.arange(bit_count, dtype=np.uint32)[:, None] & 1).astype(np.uint8)
    return zero, zero ^ bits.reshape(zero.shape[:3])[..., None] * delta


@settings(max_examples=20, deadline=None)
@given(groups=st.integers(1, 40), bit_count=st.integers(1, 32), seed=st.integers(0, 2**32))
def test_shares_add_up_to_the_product(
    cot_instance: CotInstance, groups: int, bit_count: int, seed: int
) -> None:
    """Over the correlated OT itself, both parties' messages included."""
    count = LANES * groups
    a, b = _words(count, seed), _words(count, seed + 1)
    sender, receiver = cot_instance(bytes(random_bytes(16, seed)), seed + 1)
    zero, active = (gilboa.empty_labels(bit_count, groups) for _ in range(2))
    with sender, receiver:
        choices = gilboa.choice_bits(a, bit_count)
        message = receiver.extend(choices, bit_count * count, active)
        assert len(message) == extension_bytes(bit_count * count)
        sender.extend(message, bit_count * count, zero)
        corrections, mine = gilboa.product_send(sender, bytes(16), 9, 3, bit_count, zero, b, threads=2)
        theirs = gilboa.product_receive(bytes(16), 9, 3, bit_count, active, a, corrections, threads=2)
    ring = np.uint32((1 << bit_count) - 1)
    assert np.array_equal(mine + theirs & ring, a * b & ring)


def test_every_pair_of_a_small_ring() -> None:
    pairs = np.array(list(itertools.product(range(8), range(8))), np.uint32)
    a, b = pairs.T.copy()
    delta = random_bytes(16, 5)
    zero, active = _labels(3, a, delta, 6)
    corrections, mine = np.empty((2, 6), np.uint32), np.empty_like(b)
    _native.ot.product_send(delta, bytes(16), 1, 0, 3, zero, b, corrections, mine)
    theirs = gilboa.product_receive(bytes(16), 1, 0, 3, active, a, corrections)
    assert np.array_equal(mine + theirs & 7, a * b & 7)


@pytest.mark.parametrize("bit_count", [5, 31, 32])
def test_words_are_the_hash_s(isa: str, bit_count: int) -> None:
    """tau_j = X_0 + b - X_1 in bit_count - j bits, packed; the share is minus the sum of 2^j X_0."""
    groups, number, first_group = 3, 77, 5
    delta, hash_seed = random_bytes(16, 70), bytes(random_bytes(16, 71))
    zero, b = random_bytes((bit_count, groups, LANES, 16), 72), _words(LANES * groups, 73)
    corrections = np.empty((groups, gilboa.correction_words(bit_count)), np.uint32)
    share = np.empty_like(b)
    _native.ot.product_send(
        delta, hash_seed, number, first_group, bit_count, zero, b, corrections, share, 2, isa
    )
    expected_share, packed = np.zeros(b.size, np.uint32), [[] for _ in range(groups)]
    for j in range(bit_count):
        x0, x1 = (
            hash_labels(hash_seed, PRODUCT_OT, number, first_group, j, labels)[..., :4]
            .copy()
            .view("<u4")
            .reshape(groups, LANES)
            for labels in (zero[j], zero[j] ^ delta)
        )
        expected_share -= (x0 << np.uint32(j)).ravel()
        tau = (x0 + b.reshape(groups, LANES) - x1).astype("<u4")
        for group in range(groups):
            bits = np.unpackbits(tau[group].view(np.uint8).reshape(LANES, 4), axis=1, bitorder="little")
            packed[group].append(bits[:, : bit_count - j].ravel())
    for group in range(groups):
        stream = np.packbits(np.concatenate(packed[group]), bitorder="little")
        assert corrections[group].tobytes() == stream.tobytes()
    assert np.array_equal(share, expected_share)


def test_slices_equal_the_whole() -> None:
    delta, hash_seed, b = random_bytes(16, 80), bytes(16), _words(160, 81)
    zero = random_bytes((32, 5, LANES, 16), 82)

    def send(groups: slice) -> tuple[np.ndarray, np.ndarray]:
        part = b.reshape(5, LANES)[groups].ravel()
        out = np.empty((part.size // LANES, 528), np.uint32), np.empty_like(part)
        labels = np.ascontiguousarray(zero[:, groups])
        _native.ot.product_send(delta, hash_seed, 3, 10 + groups.start, 32, labels, part, *out)
        return out

    whole, parts = send(slice(0, 5)), [send(slice(g, g + 1)) for g in range(5)]
    for index in (0, 1):
        assert np.array_equal(whole[index], np.concatenate([part[index] for part in parts]))


def test_the_binding_checks_every_buffer() -> None:
    ot = _native.ot
    labels, words = np.zeros((32, 32, 16), np.uint8), np.zeros(32, np.uint32)
    corrections = np.zeros(528, np.uint32)
    good = (bytes(16), bytes(16), 0, 0, 32, labels, words, corrections, words.copy())
    ot.product_send(*good)
    for position, value, error, message in (
        (0, bytes(15), ValueError, "delta"),
        (1, bytes(17), ValueError, "hash_seed"),
        (2, 1 << 24, ValueError, "24 bits"),
        (3, 2**32 - 1, None, ""),
        (4, 33, ValueError, "bit_count"),
        (4, 0, ValueError, "bit_count"),
        (4, 31, ValueError, "zero_labels"),
        (5, labels[:31], ValueError, "zero_labels"),
        (6, words[:31], ValueError, "multiple of 32"),
        (6, np.zeros(32, np.uint64), TypeError, "factor"),
        (7, corrections[:527], ValueError, "corrections"),
        (8, np.zeros(64, np.uint32), ValueError, "share"),
    ):
        bad = (*good[:position], value, *good[position + 1 :])
        if error is None:
            ot.product_send(*bad)
        else:
            with pytest.raises(error, match=message):
                ot.product_send(*bad)
    with pytest.raises(ValueError, match="corrections"):
        ot.product_receive(bytes(16), 0, 0, 32, labels, words, corrections[:527], words.copy())
    with pytest.raises(ValueError, match="active_labels"):
        ot.product_receive(bytes(16), 0, 0, 32, labels[:31], words, corrections, words.copy())
