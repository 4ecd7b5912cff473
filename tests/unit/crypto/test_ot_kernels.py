"""The native kernels of correlated OT: against an oracle in numpy, on every instruction set.

The oracle follows the layout in native/ot/softspoken.h over the AES of `cryptography`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pi_bench import _native
from pi_bench.crypto.ot_extension import TREE_MESSAGE_BYTES, base_choice_bits, extension_bytes
from pi_bench.crypto.symmetric import hash_labels

from .conftest import random_bytes

ADDITIVE_OT = 9  # the purpose's code, part of the wire's definition
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "softspoken.json").read_text())


def aes(key: bytes, blocks: bytes) -> bytes:
    return Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(blocks)


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def grow(roots: bytes, pairs: np.ndarray) -> tuple[list[list[bytes]], bytes]:
    """Leaves [tree][leaf] and the tree message."""
    leaves, message = [], b""
    for tree in range(32):
        nodes = {(): roots[16 * tree : 16 * tree + 16]}
        for level in range(4):
            blocks = [b"pi-ggm/1" + bytes([tree, level, bit]) + bytes(5) for bit in (0, 1)]
            nodes = {(*path, bit): aes(seed, blocks[bit]) for path, seed in nodes.items() for bit in (0, 1)}
            for bit in (0, 1):
                total = bytes(16)
                for path, seed in nodes.items():
                    if path[-1] == bit:
                        total = xor(total, seed)
                message += xor(total, pairs[4 * tree + level, bit].tobytes())
        by_number = {sum(bit << j for j, bit in enumerate(path)): seed for path, seed in nodes.items()}
        leaves.append([by_number[x] for x in range(16)])
    return leaves, message


def generator(leaf: bytes, chunk: int, count: int) -> np.ndarray:
    """Bits uint8 (count,) of a leaf from `chunk` on."""
    blocks = b"".join(i.to_bytes(16, "little") for i in range(16 * chunk, 16 * chunk + -(-count // 128)))
    return np.unpackbits(np.frombuffer(aes(leaf, blocks), np.uint8), bitorder="little")[:count]


def receive(leaves: list[list[bytes]], chunk: int, choices: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The message and the active labels (n, 16), from unpacked choice bits."""
    count = choices.size
    columns = np.zeros((128, count), np.uint8)
    parities = np.tile(choices, (32, 1))
    for tree in range(32):
        for x in range(16):
            bits = generator(leaves[tree][x], chunk, count)
            parities[tree] ^= bits
            for b in range(4):
                if x >> b & 1:
                    columns[4 * tree + b] ^= bits
    packed = np.packbits(parities, axis=1, bitorder="little")
    message = b"".join(packed[:, at : at + 256].tobytes() for at in range(0, count // 8, 256))
    return message, np.packbits(columns.T, axis=1, bitorder="little")


def _fixed_leaves(isa: str) -> tuple[bytes, np.ndarray, np.ndarray, bytearray]:
    roots, pairs = random_bytes(512, 10).tobytes(), random_bytes((128, 2, 16), 11)
    leaves, message = np.empty(8192, np.uint8), bytearray(TREE_MESSAGE_BYTES)
    _native.ot.grow_trees(roots, pairs, leaves, message, isa)
    return roots, pairs, leaves, message


def test_trees_equal_the_oracle(isa: str) -> None:
    roots, pairs, leaves, message = _fixed_leaves(isa)
    expected_leaves, expected_message = grow(roots, pairs)
    assert bytes(message) == expected_message
    assert leaves.tobytes() == b"".join(b"".join(tree) for tree in expected_leaves)


@pytest.mark.parametrize("seed", range(4))
def test_punctured_trees_hold_every_leaf_but_delta_s(isa: str, seed: int) -> None:
    _, pairs, leaves, message = _fixed_leaves(isa)
    delta = random_bytes(16, 20 + seed)
    keys = pairs[np.arange(128), base_choice_bits(delta.tobytes())]
    known = np.empty((32, 16, 16), np.uint8)
    _native.ot.puncture_trees(delta, keys, message, known, isa)
    expected = leaves.reshape(32, 16, 16).copy()
    nibbles = np.stack([delta & 15, delta >> 4], axis=1).reshape(32)
    expected[np.arange(32), nibbles] = 0
    assert np.array_equal(known, expected)


@pytest.mark.parametrize(("count", "chunk"), [(32, 0), (2048, 7), (4096 + 160, 1), (160, 2**59 - 1)])
def test_extension_equals_the_oracle(isa: str, count: int, chunk: int) -> None:
    roots, pairs, leaves, _ = _fixed_leaves(isa)
    packed = random_bytes(count // 8, 12)
    labels, message = np.empty((count, 16), np.uint8), bytearray(extension_bytes(count))
    _native.ot.extend_receiver(leaves, chunk, count, packed, message, labels, 1, isa)
    expected = receive(grow(roots, pairs)[0], chunk, np.unpackbits(packed, bitorder="little"))
    assert bytes(message) == expected[0]
    assert np.array_equal(labels, expected[1])


def test_known_answers(isa: str) -> None:
    """Every input is bytes 0, 1, 2, ... modulo 251, so that the vectors hold outputs alone."""

    def counting(size: int) -> np.ndarray:
        return (np.arange(size) % 251).astype(np.uint8)

    leaves, message = np.empty(8192, np.uint8), bytearray(TREE_MESSAGE_BYTES)
    _native.ot.grow_trees(counting(512), counting(4096), leaves, message, isa)
    assert bytes(message[-64:]).hex() == VECTORS["tree_message_end"]
    labels, extension = np.empty((32, 16), np.uint8), bytearray(128)
    _native.ot.extend_receiver(leaves, 3, 32, counting(4), extension, labels, 1, isa)
    assert bytes(extension).hex() == VECTORS["extension_message"]
    assert labels.tobytes().hex() == VECTORS["active_labels"]


def test_instruction_sets_and_threads_agree(isa: str) -> None:
    _, pairs, leaves, tree_message = _fixed_leaves("portable")
    delta, count = random_bytes(16, 30), 30_016
    known = np.empty(8192, np.uint8)
    keys = pairs[np.arange(128), base_choice_bits(delta.tobytes())]
    _native.ot.puncture_trees(delta, keys, tree_message, known)
    packed = random_bytes(count // 8, 31)
    results = set()
    for path, threads in [("portable", 1), (isa, 1), (isa, 2), (isa, 5)]:
        active, zero = np.empty((count, 16), np.uint8), np.empty((count, 16), np.uint8)
        message = bytearray(extension_bytes(count))
        _native.ot.extend_receiver(leaves, 4, count, packed, message, active, threads, path)
        _native.ot.extend_sender(known, delta, 4, count, message, zero, threads, path)
        results.add((bytes(message), active.tobytes(), zero.tobytes()))
    assert len(results) == 1


def test_a_restarted_counter_would_reveal_the_difference_of_choices() -> None:
    """Negative control: the reason why counters are private and only go up."""
    _, _, leaves, _ = _fixed_leaves("portable")
    first, second = random_bytes(16, 40), random_bytes(16, 41)
    messages = []
    for packed in (first, second):
        message = bytearray(extension_bytes(128))
        _native.ot.extend_receiver(leaves, 9, 128, packed, message, np.empty((128, 16), np.uint8))
        messages.append(np.frombuffer(message, np.uint8).reshape(32, 16))
    assert np.array_equal(messages[0] ^ messages[1], np.tile(first ^ second, (32, 1)))


def test_additive_words_are_the_hash_s(isa: str) -> None:
    count, gadget, first_group = 96, 77, 5
    delta, hash_seed, zero = random_bytes(16, 70), bytes(random_bytes(16, 71)), random_bytes((3, 32, 16), 72)
    correlation = np.arange(count, dtype=np.uint32)
    tau, beta = np.empty_like(correlation), np.empty_like(correlation)
    _native.ot.additive_send(delta, hash_seed, gadget, first_group, zero, correlation, tau, beta, 1, isa)
    x0, x1 = (
        hash_labels(hash_seed, ADDITIVE_OT, gadget, first_group, 0, labels)[..., :4]
        .copy()
        .view("<u4")
        .ravel()
        for labels in (zero, zero ^ delta)
    )
    assert np.array_equal(beta, 0 - x0)
    assert np.array_equal(tau, x0 + correlation - x1)


def test_the_binding_checks_every_buffer() -> None:
    ot = _native.ot
    labels, words = np.zeros((32, 16), np.uint8), np.zeros(32, np.uint32)
    with pytest.raises(ValueError, match="leaves"):
        ot.extend_receiver(bytes(8191), 0, 32, bytes(4), bytearray(128), labels)
    with pytest.raises(ValueError, match="message"):
        ot.extend_sender(bytes(8192), bytes(16), 0, 32, bytes(127), labels)
    with pytest.raises(ValueError, match="count"):
        ot.extend_sender(bytes(8192), bytes(16), 0, 2**40, bytes(127), labels)
    with pytest.raises(TypeError, match="C-contiguous"):
        ot.extend_sender(bytes(8192), bytes(16), 0, 32, bytes(128), np.zeros((64, 16), np.uint8)[::2])
    with pytest.raises(BufferError):
        ot.extend_sender(bytes(8192), bytes(16), 0, 32, bytes(128), bytes(512))
    with pytest.raises(ValueError, match="24 bits"):
        ot.additive_send(bytes(16), bytes(16), 2**24, 0, labels, words, words.copy(), words.copy())
    with pytest.raises(ValueError, match="32"):
        ot.additive_receive(
            bytes(16),
            0,
            2**32 - 1,
            np.zeros((64, 16), np.uint8),
            bytes(64),
            np.zeros(64, np.uint32),
            np.zeros(64, np.uint32),
        )
    with pytest.raises(ValueError, match="multiple of 32"):
        ot.additive_receive(bytes(16), 0, 0, labels, bytes(32), words[:31], words[:31])
