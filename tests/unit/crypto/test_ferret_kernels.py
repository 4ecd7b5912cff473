"""The kernels of Ferret equal the slow model, and their labels are correlated, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto.ferret_plan import LARGE, SMALL
from tests.ferret_model import TREES, Model

from .conftest import random_bytes

HASH_SEED, CODE_SEED = bytes(range(16)), bytes(range(16, 32))


def ideal_ots(count: int, delta: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (count, 16) of sender and receiver, in the form that the header names."""
    zero = random_bytes((count, 16), seed)
    zero[:, 0] &= 0xFE
    choices = random_bytes(count, seed + 1) & 1
    return zero, zero ^ choices[:, None] * delta


def odd_delta(seed: int) -> np.ndarray:
    delta = random_bytes(16, seed)
    delta[0] |= 1
    return delta


class Batch:
    """Both parties' labels of a batch, from ideal inputs."""

    def __init__(self, isa: str, levels: int, groups: int, secrets: int, seed: int, threads: int = 1) -> None:
        self.delta = odd_delta(seed)
        paths = ideal_ots(groups * levels * TREES, self.delta, seed + 1)
        self.paths = [path.reshape(groups, levels, TREES, 16) for path in paths]
        self.secrets = ideal_ots(secrets, self.delta, seed + 3)
        self.corrections = np.empty((groups, levels - 1, TREES, 16), np.uint8)
        self.zero, self.active = np.empty((2, groups, TREES << levels, 16), np.uint8)
        ferret, batch = _native.ferret, seed % 5
        ferret.correct(
            HASH_SEED, batch, groups, levels, self.delta, self.paths[0], self.corrections, threads, isa
        )
        where = (HASH_SEED, batch, 0, groups, levels, CODE_SEED)
        ferret.send(*where, self.secrets[0], self.delta, self.paths[0], self.zero, threads, isa)
        ferret.receive(*where, self.secrets[1], self.paths[1], self.corrections, self.active, threads, isa)
        self.model = Model(_number(HASH_SEED), _number(CODE_SEED), batch, levels)


def _number(label: np.ndarray | bytes) -> int:
    return int.from_bytes(bytes(label), "little")


def _numbers(labels: np.ndarray) -> list[int]:
    return [_number(label) for label in labels.reshape(-1, 16)]


@pytest.mark.parametrize(
    ("levels", "groups", "secrets", "seed"),
    [
        (3, 2, 1, 4),
        (5, 3, 50, 1),
        (6, 1, 2**12, 2),
        pytest.param(9, 1, 700, 3, marks=pytest.mark.slow),
        (4, 1, SMALL.secrets, 5),
        pytest.param(4, 1, LARGE.secrets, 6, marks=pytest.mark.slow),
    ],
)
def test_both_parties_equal_the_model(isa: str, levels: int, groups: int, secrets: int, seed: int) -> None:
    batch = Batch(isa, levels, groups, secrets, seed)
    for group in range(groups):
        sent, received = [], []
        for tree in range(TREES):
            zero_path, path = (_numbers(side[group, :, tree]) for side in batch.paths)
            leaves, corrections = batch.model.grow(group, _number(batch.delta), zero_path)
            assert corrections == _numbers(batch.corrections[group, :, tree])
            sent.append(leaves)
            received.append(batch.model.puncture(group, path, corrections)[0])
        for trees, secret, labels in zip(
            (sent, received), batch.secrets, (batch.zero, batch.active), strict=True
        ):
            assert batch.model.encode(group, trees, _numbers(secret)) == _numbers(labels[group])


@pytest.mark.parametrize("levels", [5, 8, 12])
def test_labels_are_correlated_and_every_tree_has_one_error(isa: str, levels: int) -> None:
    batch = Batch(isa, levels, 5, 1000, levels, threads=2)
    choices = batch.active[..., :1] & 1
    assert np.array_equal(batch.active, batch.zero ^ choices * batch.delta)
    assert not (batch.zero[..., 0] & 1).any()
    # Without secrets the choices are the noise alone: one leaf per tree.
    nothing = np.zeros((1000, 16), np.uint8)
    noise = np.empty_like(batch.active)
    where = (HASH_SEED, levels % 5, 0, 5, levels, CODE_SEED)
    _native.ferret.receive(*where, nothing, batch.paths[1], batch.corrections, noise, 1, isa)
    errors = (noise[..., 0] & 1).reshape(5, 1 << levels, TREES)
    assert (errors.sum(axis=1) == 1).all()
    path_bits = batch.paths[1][..., 0] & 1  # (groups, levels, trees)
    expected = ((1 - path_bits.astype(np.int64)) << np.arange(levels)[:, None]).sum(axis=1)
    assert np.array_equal(errors.argmax(axis=1), expected)


def test_every_position_of_a_small_tree(isa: str) -> None:
    """All 32 leaves that a tree of 5 levels may lack, four trees at once."""
    levels, delta = 5, odd_delta(9)
    zero, _ = ideal_ots(levels * TREES, delta, 10)
    zero = zero.reshape(1, levels, TREES, 16)
    corrections = np.empty((1, levels - 1, TREES, 16), np.uint8)
    _native.ferret.correct(HASH_SEED, 0, 1, levels, delta, zero, corrections, 1, isa)
    secrets = np.zeros((1, 16), np.uint8)
    where = (HASH_SEED, 0, 0, 1, levels, CODE_SEED, secrets)
    sent, received = np.empty((2, 32, TREES, 16), np.uint8)
    _native.ferret.send(*where, delta, zero, sent, 1, isa)
    for first in range(0, 32, TREES):
        lacking = np.arange(first, first + TREES)
        choices = 1 - (lacking >> np.arange(levels)[:, None] & 1)  # (levels, trees)
        path = (zero ^ (choices[..., None] * delta).astype(np.uint8)).astype(np.uint8)
        _native.ferret.receive(*where, path, corrections, received, 1, isa)
        expected = sent.copy()
        expected[lacking, np.arange(TREES)] ^= delta
        assert np.array_equal(received, expected)


def test_groups_can_be_made_alone_and_threads_change_nothing(isa: str) -> None:
    levels, groups = 6, 7
    whole = Batch("portable", levels, groups, 300, 4, threads=3)
    where = (HASH_SEED, 4, 5, 2, levels, CODE_SEED)
    zero, active = np.empty((2, 2, TREES << levels, 16), np.uint8)
    _native.ferret.send(*where, whole.secrets[0], whole.delta, whole.paths[0][5:], zero, 1, isa)
    received = (whole.secrets[1], whole.paths[1][5:], whole.corrections[5:])
    _native.ferret.receive(*where, *received, active, 2, isa)
    assert np.array_equal(zero, whole.zero[5:]) and np.array_equal(active, whole.active[5:])


@pytest.mark.parametrize("even", [False, True])
def test_chosen_bits(isa: str, even: bool) -> None:
    """The caller's choices hold, bit 0 included, and the message has random bits in it."""
    count, delta = 160, odd_delta(20)
    zero, active = ideal_ots(count, delta, 21)
    random = active[:, 0] & 1
    packed, message = random_bytes(count // 8, 22), bytearray(count // 8)
    _native.ferret.derandomize_receiver(active, count, packed, even, message, active, isa)
    _native.ferret.derandomize_sender(zero, count, delta, message, zero, isa)
    chosen = np.unpackbits(packed, bitorder="little")
    assert np.array_equal(np.unpackbits(np.frombuffer(message, np.uint8), bitorder="little"), chosen ^ random)
    offset = delta.copy()
    offset[0] &= 0xFE if even else 0xFF
    assert np.array_equal(active, zero ^ chosen[:, None] * offset)


def test_the_binding_checks_every_buffer() -> None:
    ferret, paths = _native.ferret, np.zeros((1, 5, TREES, 16), np.uint8)
    labels, corrections = np.zeros((128, 16), np.uint8), np.zeros((4, TREES, 16), np.uint8)
    secrets = np.zeros((10, 16), np.uint8)
    with pytest.raises(ValueError, match="levels"):
        ferret.correct(HASH_SEED, 0, 1, 2, bytes(16), paths, corrections)
    with pytest.raises(ValueError, match="24 bits"):
        ferret.correct(HASH_SEED, 2**24, 1, 5, bytes(16), paths, corrections)
    with pytest.raises(ValueError, match="corrections"):
        ferret.receive(HASH_SEED, 0, 0, 1, 5, CODE_SEED, secrets, paths, corrections[1:], labels)
    with pytest.raises(ValueError, match="secrets"):
        ferret.send(HASH_SEED, 0, 0, 1, 5, CODE_SEED, bytes(15), bytes(16), paths, labels)
    with pytest.raises(ValueError, match="labels"):
        ferret.send(HASH_SEED, 0, 0, 1, 5, CODE_SEED, secrets, bytes(16), paths, labels[1:])
    with pytest.raises(ValueError, match="count"):
        ferret.derandomize_sender(labels[:31], 31, bytes(16), bytes(4), labels[:31])
    with pytest.raises(ValueError, match="message"):
        ferret.derandomize_sender(labels[:32], 32, bytes(16), bytes(3), labels[:32])
