"""Correlated OT: the relation, the oracle, the counters, and what a hostile peer can send."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench import _native
from pi_bench.crypto import ot_extension
from pi_bench.crypto.ot_extension import (
    FRESH_BYTES,
    TREE_MESSAGE_BYTES,
    CotReceiver,
    CotSender,
    FreshCotSender,
    additive_receive,
    additive_send,
    base_choice_bits,
    extension_bytes,
    fresh_cot_receiver,
    random_delta,
)
from pi_bench.crypto.secret import SecretBytes
from pi_bench.crypto.symmetric import hash_labels, require_isa
from pi_bench.errors import PeerError

ISAS = ["aesni", "vaes512"] if require_isa() == "vaes512" else ["aesni"]
ADDITIVE_OT = 9  # the purpose's code, part of the wire's definition
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "softspoken.json").read_text())


def _load_oracle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ot_oracle", Path(__file__).with_name("ot_oracle.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ot_oracle"] = module
    spec.loader.exec_module(module)
    return module


oracle = _load_oracle()


def _random(shape: tuple[int, ...] | int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _instance(delta: bytes | SecretBytes, seed: int = 0) -> tuple[CotSender, CotReceiver]:
    """Two parties whose base OTs an ideal functionality ran."""
    pairs = _random((128, 2, 16), seed)
    receiver = CotReceiver(pairs)
    chosen = pairs[np.arange(128), base_choice_bits(delta)]
    return CotSender(delta, chosen, receiver.tree_message), receiver


def _extend(
    sender: CotSender, receiver: CotReceiver, packed: np.ndarray, threads: int = 1
) -> tuple[np.ndarray, ...]:
    """(zero labels, active labels, unpacked choice bits)."""
    count = 8 * packed.size
    zero, active = np.empty((count, 16), np.uint8), np.empty((count, 16), np.uint8)
    message = receiver.extend(packed, count, active, threads=threads)
    assert len(message) == extension_bytes(count)
    sender.extend(message, count, zero, threads=threads)
    return zero, active, np.unpackbits(packed, bitorder="little")


def _related(zero: np.ndarray, active: np.ndarray, choices: np.ndarray, delta: bytes) -> bool:
    return bool((active == zero ^ choices[:, None] * np.frombuffer(delta, np.uint8)).all())


@settings(max_examples=25, deadline=None)
@given(
    delta=st.binary(min_size=16, max_size=16),
    groups=st.lists(st.integers(0, 200), min_size=1, max_size=4),
    threads=st.integers(1, 3),
)
def test_the_relation_holds_for_any_counts_in_a_row(delta: bytes, groups: list[int], threads: int) -> None:
    sender, receiver = _instance(delta)
    for index, group_count in enumerate(groups):
        zero, active, choices = _extend(sender, receiver, _random(4 * group_count, index), threads)
        assert _related(zero, active, choices, delta)


@pytest.mark.parametrize("delta", [bytes(16), b"\xff" * 16, b"\1" + bytes(15), bytes(15) + b"\x80"])
@pytest.mark.parametrize("count", [32, 2016, 2048, 2080, 20_480 + 32])
def test_the_relation_at_the_edges(delta: bytes, count: int) -> None:
    sender, receiver = _instance(delta)
    zero, active, choices = _extend(sender, receiver, _random(count // 8, 3), threads=2)
    assert _related(zero, active, choices, delta)
    assert len({bytes(label) for label in zero}) == count


def test_labels_look_uniform() -> None:
    sender, receiver = _instance(bytes(_random(16, 5)))
    zero, active, _ = _extend(sender, receiver, np.zeros(4096, np.uint8))
    for labels in (zero, active):
        ones = np.unpackbits(labels, axis=1).sum(axis=0, dtype=np.int64)  # of 32,768 a column; sigma is 90.5
        assert (abs(ones - 16_384) < 7 * 90.5).all()


def test_colors_give_the_choice_where_delta_is_odd() -> None:
    with random_delta(label=True) as delta:
        assert delta.array[0] & 1
        sender, receiver = _instance(delta)
        zero, active, choices = _extend(sender, receiver, _random(128, 6))
    assert np.array_equal((zero[:, 0] ^ active[:, 0]) & 1, choices)


def test_random_delta_is_even_half_the_time_without_label() -> None:
    assert {int(random_delta(label=False).array[0] & 1) for _ in range(64)} == {0, 1}


def _fixed_leaves(isa: str) -> tuple[bytes, np.ndarray, np.ndarray, bytearray]:
    roots, pairs = _random(512, 10).tobytes(), _random((128, 2, 16), 11)
    leaves, message = np.empty(8192, np.uint8), bytearray(TREE_MESSAGE_BYTES)
    _native.ot.grow_trees(roots, pairs, leaves, message, isa)
    return roots, pairs, leaves, message


@pytest.mark.parametrize("isa", ISAS)
def test_trees_equal_the_oracle(isa: str) -> None:
    roots, pairs, leaves, message = _fixed_leaves(isa)
    expected_leaves, expected_message = oracle.grow(roots, pairs)
    assert bytes(message) == expected_message
    assert leaves.tobytes() == b"".join(b"".join(tree) for tree in expected_leaves)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("seed", range(4))
def test_punctured_trees_hold_every_leaf_but_delta_s(isa: str, seed: int) -> None:
    _, pairs, leaves, message = _fixed_leaves(isa)
    delta = _random(16, 20 + seed)
    keys = pairs[np.arange(128), base_choice_bits(delta.tobytes())]
    known = np.empty((32, 16, 16), np.uint8)
    _native.ot.puncture_trees(delta, keys, message, known, isa)
    expected = leaves.reshape(32, 16, 16).copy()
    nibbles = np.stack([delta & 15, delta >> 4], axis=1).reshape(32)
    expected[np.arange(32), nibbles] = 0
    assert np.array_equal(known, expected)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("count", "chunk"), [(32, 0), (2048, 7), (4096 + 160, 1), (160, 2**59 - 1)])
def test_extension_equals_the_oracle(isa: str, count: int, chunk: int) -> None:
    roots, pairs, leaves, _ = _fixed_leaves(isa)
    packed = _random(count // 8, 12)
    labels, message = np.empty((count, 16), np.uint8), bytearray(extension_bytes(count))
    _native.ot.extend_receiver(leaves, chunk, count, packed, message, labels, 1, isa)
    expected = oracle.receive(oracle.grow(roots, pairs)[0], chunk, np.unpackbits(packed, bitorder="little"))
    assert bytes(message) == expected[0]
    assert np.array_equal(labels, expected[1])


@pytest.mark.parametrize("isa", ISAS)
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


def test_instruction_sets_and_threads_agree() -> None:
    _, pairs, leaves, tree_message = _fixed_leaves("aesni")
    delta, count = _random(16, 30), 30_016
    known = np.empty(8192, np.uint8)
    keys = pairs[np.arange(128), base_choice_bits(delta.tobytes())]
    _native.ot.puncture_trees(delta, keys, tree_message, known)
    packed = _random(count // 8, 31)
    results = set()
    for isa in ISAS:
        for threads in (1, 2, 5):
            active, zero = np.empty((count, 16), np.uint8), np.empty((count, 16), np.uint8)
            message = bytearray(extension_bytes(count))
            _native.ot.extend_receiver(leaves, 4, count, packed, message, active, threads, isa)
            _native.ot.extend_sender(known, delta, 4, count, message, zero, threads, isa)
            results.add((bytes(message), active.tobytes(), zero.tobytes()))
    assert len(results) == 1


def test_a_restarted_counter_would_reveal_the_difference_of_choices() -> None:
    """Negative control: the reason why counters are private and only go up."""
    _, _, leaves, _ = _fixed_leaves("aesni")
    first, second = _random(16, 40), _random(16, 41)
    messages = []
    for packed in (first, second):
        message = bytearray(extension_bytes(128))
        _native.ot.extend_receiver(leaves, 9, 128, packed, message, np.empty((128, 16), np.uint8))
        messages.append(np.frombuffer(message, np.uint8).reshape(32, 16))
    assert np.array_equal(messages[0] ^ messages[1], np.tile(first ^ second, (32, 1)))


def test_counters_never_repeat_in_an_instance() -> None:
    _, receiver = _instance(bytes(16))
    seen: list[bytes] = []
    for count in (32, 32, 4096, 32):
        message = receiver.extend(np.zeros(count // 8, np.uint8), count, np.empty((count, 16), np.uint8))
        rows = np.frombuffer(message, np.uint8).reshape(32, -1)
        seen += [bytes(row[at : at + 4]) for row in rows for at in range(0, count // 8, 4)]
    assert len(set(seen)) == len(seen)  # 4-byte words: a chance collision has probability 0.002
    assert receiver._next_chunk == 5


def test_two_instances_share_nothing() -> None:
    pairs = _random((128, 2, 16), 50)
    first, second = CotReceiver(pairs), CotReceiver(pairs)
    assert first.tree_message != second.tree_message
    assert bytes(first._leaves.array) != bytes(second._leaves.array)


def test_fresh_instances_from_the_reverse_extension() -> None:
    reverse_delta = bytes(_random(16, 60))
    reverse_sender, reverse_receiver = _instance(reverse_delta)
    tree_messages = set()
    for inference in range(2):
        context = b"session" + bytes([inference])
        delta = random_delta(label=True)
        fresh = FreshCotSender(reverse_receiver, delta, context)
        assert len(fresh.message) == FRESH_BYTES
        receiver = fresh_cot_receiver(reverse_sender, fresh.message, context)
        sender = fresh.finish(receiver.tree_message)
        zero, active, choices = _extend(sender, receiver, _random(64, inference))
        assert _related(zero, active, choices, bytes(delta.array))
        tree_messages.add(receiver.tree_message)
        again = _extend(reverse_sender, reverse_receiver, _random(64, inference))
        assert _related(*again, reverse_delta)
    assert len(tree_messages) == 2


def test_fresh_instances_are_bound_to_their_context() -> None:
    reverse_sender, reverse_receiver = _instance(bytes(_random(16, 61)))
    delta = random_delta(label=True)
    fresh = FreshCotSender(reverse_receiver, delta, b"inference 1")
    receiver = fresh_cot_receiver(reverse_sender, fresh.message, b"inference 2")
    zero, active, choices = _extend(fresh.finish(receiver.tree_message), receiver, _random(64, 1))
    assert not _related(zero, active, choices, bytes(delta.array))


@settings(max_examples=20, deadline=None)
@given(groups=st.integers(0, 40), seed=st.integers(0, 2**32), first_group=st.integers(0, 2**32 - 40))
def test_additive_shares_add_up(groups: int, seed: int, first_group: int) -> None:
    """Against the ideal functionality: choice times correlation modulo 2^32."""
    count = 32 * groups
    delta, hash_seed = bytes(_random(16, seed)), bytes(_random(16, seed + 1))
    zero = _random((count, 16), seed + 2)
    choices = _random(count, seed + 3) & 1
    active = zero ^ choices[:, None] * np.frombuffer(delta, np.uint8)
    correlation = np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)
    tau, beta = additive_send(delta, hash_seed, 2**24 - 1, first_group, zero, correlation, threads=2)
    alpha = additive_receive(hash_seed, 2**24 - 1, first_group, active, choices, tau, threads=2)
    assert np.array_equal(alpha + beta, choices * correlation)


@pytest.mark.parametrize("isa", ISAS)
def test_additive_words_are_the_hash_s(isa: str) -> None:
    count, gadget, first_group = 96, 77, 5
    delta, hash_seed, zero = _random(16, 70), bytes(_random(16, 71)), _random((3, 32, 16), 72)
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


def test_additive_slices_equal_the_whole() -> None:
    delta, hash_seed, zero = bytes(_random(16, 80)), bytes(16), _random((160, 16), 81)
    correlation = np.arange(160, dtype=np.uint32)
    whole = additive_send(delta, hash_seed, 3, 10, zero, correlation)
    parts = [
        additive_send(
            delta, hash_seed, 3, 10 + g, zero[32 * g : 32 * g + 32], correlation[32 * g : 32 * g + 32]
        )
        for g in range(5)
    ]
    for index in (0, 1):
        assert np.array_equal(whole[index], np.concatenate([part[index] for part in parts]))


@pytest.mark.parametrize("size", [0, 1, 4095, 4097])
def test_a_tree_message_of_another_size_is_the_peer_s_error(size: int) -> None:
    with pytest.raises(PeerError, match="tree message has"):
        CotSender(bytes(16), np.zeros((128, 16), np.uint8), bytes(size))


@pytest.mark.parametrize("size", [0, 127, 129, 4096])
def test_an_extension_message_of_another_size_is_the_peer_s_error(size: int) -> None:
    sender, _ = _instance(bytes(16))
    with pytest.raises(PeerError, match="extension message has"):
        sender.extend(bytes(size), 32, np.empty((32, 16), np.uint8))
    assert sender._next_chunk == 0
    with pytest.raises(PeerError, match="extension message has"):
        fresh_cot_receiver(sender, bytes(size), b"")


def test_garbage_of_the_right_size_gives_unrelated_labels_and_no_error() -> None:
    delta = b"\xff" * 16
    pairs = _random((128, 2, 16), 90)
    receiver = CotReceiver(pairs)
    keys = pairs[np.arange(128), base_choice_bits(delta)]
    sender = CotSender(delta, keys, _random(4096, 91).tobytes())
    zero, active, choices = _extend(sender, receiver, _random(64, 92))
    assert not _related(zero, active, choices, delta)


@pytest.mark.parametrize("count", [-32, 1, 31, 33])
def test_counts_are_multiples_of_32(count: int) -> None:
    sender, receiver = _instance(bytes(16))
    with pytest.raises(ValueError, match="multiples of 32"):
        receiver.extend(np.zeros(4, np.uint8), count, np.empty((32, 16), np.uint8))
    with pytest.raises(ValueError, match="multiples of 32"):
        sender.extend(bytes(128), count, np.empty((32, 16), np.uint8))


def test_mistakes_of_the_caller_take_no_counter() -> None:
    sender, receiver = _instance(bytes(16))
    good = np.zeros(4, np.uint8), np.empty((32, 16), np.uint8)
    for choice_bits, labels in [
        (np.zeros(5, np.uint8), good[1]),
        (np.zeros(4, np.int8), good[1]),
        (good[0], np.empty((31, 16), np.uint8)),
        (good[0], np.empty((32, 4), np.uint32)),
    ]:
        with pytest.raises(ValueError):
            receiver.extend(choice_bits, 32, labels)
    with pytest.raises(ValueError):
        sender.extend(bytes(128), 32, np.empty((33, 16), np.uint8))
    assert receiver._next_chunk == sender._next_chunk == 0


@pytest.mark.parametrize("shape", [(128, 16), (128, 2, 15), (4096,)])
def test_wrong_base_keys(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="base key pairs"):
        CotReceiver(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="base keys"):
        CotSender(bytes(16), np.zeros((128, 15), np.uint8), bytes(4096))
    with pytest.raises(ValueError, match="delta"):
        base_choice_bits(bytes(15))


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


def test_a_closed_instance_refuses() -> None:
    sender, receiver = _instance(bytes(16))
    with sender, receiver:
        pass
    with pytest.raises(ValueError, match="wiped"):
        receiver.extend(np.zeros(4, np.uint8), 32, np.empty((32, 16), np.uint8))
    with pytest.raises(ValueError, match="wiped"):
        sender.extend(bytes(128), 32, np.empty((32, 16), np.uint8))
    assert ot_extension.COT_BITS == 128
