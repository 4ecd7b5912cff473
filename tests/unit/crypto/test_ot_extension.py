"""Correlated OT: the relation, the counters, fresh instances, and messages of a hostile peer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench import _native
from pi_bench.crypto.additive_ot import additive_receive, additive_send
from pi_bench.crypto.base_ot import BaseOtReceiver, BaseOtSender, ot_context
from pi_bench.crypto.fresh_cot import FreshCotSender, fresh_cot_receiver
from pi_bench.crypto.ot_extension import (
    FRESH_BYTES,
    CotReceiver,
    CotSender,
    base_choice_bits,
    extension_bytes,
    random_delta,
)
from pi_bench.errors import PeerError

from .conftest import CotInstance, random_bytes


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


def test_the_whole_chain_from_base_ots() -> None:
    context = ot_context(b"session", "labels")
    with random_delta(label=True) as delta:
        base_sender = BaseOtSender(context)  # the COT receiver's
        base_receiver = BaseOtReceiver(context, base_sender.message, base_choice_bits(delta))
        receiver = CotReceiver(base_sender.keys(base_receiver.reply))
        sender = CotSender(delta, base_receiver.keys, receiver.tree_message)
        zero, active, choices = _extend(sender, receiver, random_bytes(40, 0))
        assert _related(zero, active, choices, bytes(delta.array))


@settings(max_examples=25, deadline=None)
@given(
    delta=st.binary(min_size=16, max_size=16),
    groups=st.lists(st.integers(0, 200), min_size=1, max_size=4),
    threads=st.integers(1, 3),
)
def test_the_relation_holds_for_any_counts_in_a_row(
    cot_instance: CotInstance, delta: bytes, groups: list[int], threads: int
) -> None:
    sender, receiver = cot_instance(delta)
    for index, group_count in enumerate(groups):
        zero, active, choices = _extend(sender, receiver, random_bytes(4 * group_count, index), threads)
        assert _related(zero, active, choices, delta)


@pytest.mark.parametrize("delta", [bytes(16), b"\xff" * 16, b"\1" + bytes(15), bytes(15) + b"\x80"])
@pytest.mark.parametrize("count", [32, 2016, 2048, 2080, 20_480 + 32])
def test_the_relation_at_the_edges(cot_instance: CotInstance, delta: bytes, count: int) -> None:
    sender, receiver = cot_instance(delta)
    zero, active, choices = _extend(sender, receiver, random_bytes(count // 8, 3), threads=2)
    assert _related(zero, active, choices, delta)
    assert len({bytes(label) for label in zero}) == count


def test_labels_look_uniform(cot_instance: CotInstance) -> None:
    sender, receiver = cot_instance(bytes(random_bytes(16, 5)))
    zero, active, _ = _extend(sender, receiver, np.zeros(4096, np.uint8))
    for labels in (zero, active):
        ones = np.unpackbits(labels, axis=1).sum(axis=0, dtype=np.int64)  # 32,768 per column; sigma is 90.5
        assert (abs(ones - 16_384) < 7 * 90.5).all()


def test_colors_give_the_choice_where_delta_is_odd(cot_instance: CotInstance) -> None:
    with random_delta(label=True) as delta:
        assert delta.array[0] & 1
        sender, receiver = cot_instance(delta)
        zero, active, choices = _extend(sender, receiver, random_bytes(128, 6))
    assert np.array_equal((zero[:, 0] ^ active[:, 0]) & 1, choices)


def test_random_delta_is_even_half_the_time_without_label() -> None:
    assert {int(random_delta(label=False).array[0] & 1) for _ in range(64)} == {0, 1}


def test_counters_never_repeat_in_an_instance(cot_instance: CotInstance) -> None:
    """Choice bits of zero leave the generators bare: no 16 bytes of them appear twice."""
    _, receiver = cot_instance(bytes(16))
    seen: list[bytes] = []
    for count in (128, 128, 4096, 128):
        message = bytes(
            receiver.extend(np.zeros(count // 8, np.uint8), count, np.empty((count, 16), np.uint8))
        )
        seen += [message[at : at + 16] for at in range(0, len(message), 16)]
    assert len(set(seen)) == len(seen) == 4480 * 4 // 16
    assert receiver._next_chunk == 5


def test_two_instances_share_nothing() -> None:
    pairs = random_bytes((128, 2, 16), 50)
    first, second = CotReceiver(pairs), CotReceiver(pairs)
    assert first.tree_message != second.tree_message
    assert bytes(first._leaves.array) != bytes(second._leaves.array)


def test_fresh_instances_from_the_reverse_extension(cot_instance: CotInstance) -> None:
    reverse_delta = bytes(random_bytes(16, 60))
    reverse_sender, reverse_receiver = cot_instance(reverse_delta)
    tree_messages = set()
    for inference in range(2):
        context = b"session" + bytes([inference])
        delta = random_delta(label=True)
        fresh = FreshCotSender(reverse_receiver, delta, context)
        assert len(fresh.message) == FRESH_BYTES
        receiver = fresh_cot_receiver(reverse_sender, fresh.message, context)
        sender = fresh.finish(receiver.tree_message)
        zero, active, choices = _extend(sender, receiver, random_bytes(64, inference))
        assert _related(zero, active, choices, bytes(delta.array))
        tree_messages.add(receiver.tree_message)
        again = _extend(reverse_sender, reverse_receiver, random_bytes(64, inference))
        assert _related(*again, reverse_delta)
    assert len(tree_messages) == 2


def test_fresh_instances_are_bound_to_their_context(cot_instance: CotInstance) -> None:
    reverse_sender, reverse_receiver = cot_instance(bytes(random_bytes(16, 61)))
    delta = random_delta(label=True)
    fresh = FreshCotSender(reverse_receiver, delta, b"inference 1")
    receiver = fresh_cot_receiver(reverse_sender, fresh.message, b"inference 2")
    zero, active, choices = _extend(fresh.finish(receiver.tree_message), receiver, random_bytes(64, 1))
    assert not _related(zero, active, choices, bytes(delta.array))


@settings(max_examples=20, deadline=None)
@given(groups=st.integers(0, 40), seed=st.integers(0, 2**32), first_group=st.integers(0, 2**32 - 40))
def test_additive_shares_add_up(groups: int, seed: int, first_group: int) -> None:
    """Against the ideal functionality: choice times correlation modulo 2^32."""
    count = 32 * groups
    delta, hash_seed = bytes(random_bytes(16, seed)), bytes(random_bytes(16, seed + 1))
    zero = random_bytes((count, 16), seed + 2)
    choices = random_bytes(count, seed + 3) & 1
    active = zero ^ choices[:, None] * np.frombuffer(delta, np.uint8)
    correlation = np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)
    tau, beta = additive_send(delta, hash_seed, 2**24 - 1, first_group, zero, correlation, threads=2)
    alpha = additive_receive(hash_seed, 2**24 - 1, first_group, active, choices, tau, threads=2)
    assert np.array_equal(alpha + beta, choices * correlation)


def test_additive_slices_equal_the_whole() -> None:
    delta, hash_seed, zero = bytes(random_bytes(16, 80)), bytes(16), random_bytes((160, 16), 81)
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
def test_an_extension_message_of_another_size_is_the_peer_s_error(
    cot_instance: CotInstance, size: int
) -> None:
    sender, _ = cot_instance(bytes(16))
    with pytest.raises(PeerError, match="extension message has"):
        sender.extend(bytes(size), 32, np.empty((32, 16), np.uint8))
    assert sender._next_chunk == 0
    with pytest.raises(PeerError, match="extension message has"):
        fresh_cot_receiver(sender, bytes(size), b"")


def test_garbage_of_the_right_size_gives_unrelated_labels_and_no_error() -> None:
    delta = b"\xff" * 16
    pairs = random_bytes((128, 2, 16), 90)
    receiver = CotReceiver(pairs)
    keys = pairs[np.arange(128), base_choice_bits(delta)]
    sender = CotSender(delta, keys, random_bytes(4096, 91).tobytes())
    zero, active, choices = _extend(sender, receiver, random_bytes(64, 92))
    assert not _related(zero, active, choices, delta)


@pytest.mark.parametrize("count", [-32, 1, 31, 33])
def test_counts_are_multiples_of_32(cot_instance: CotInstance, count: int) -> None:
    sender, receiver = cot_instance(bytes(16))
    with pytest.raises(ValueError, match="multiples of 32"):
        receiver.extend(np.zeros(4, np.uint8), count, np.empty((32, 16), np.uint8))
    with pytest.raises(ValueError, match="multiples of 32"):
        sender.extend(bytes(128), count, np.empty((32, 16), np.uint8))


def test_mistakes_of_the_caller_take_no_counter(cot_instance: CotInstance) -> None:
    sender, receiver = cot_instance(bytes(16))
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


def test_a_closed_instance_refuses(cot_instance: CotInstance) -> None:
    sender, receiver = cot_instance(bytes(16))
    with sender, receiver:
        pass
    with pytest.raises(ValueError, match="wiped"):
        receiver.extend(np.zeros(4, np.uint8), 32, np.empty((32, 16), np.uint8))
    with pytest.raises(ValueError, match="wiped"):
        sender.extend(bytes(128), 32, np.empty((32, 16), np.uint8))


@pytest.mark.parametrize("message", [7, None, "text", np.zeros(3)])
def test_errors_of_the_kernels_show_no_secret(message: object) -> None:
    """A binding that converts its arguments itself would print all of them, leaves and delta too."""
    leaves, delta = bytearray(b"SECRET-LEAF-SEED" * 512), b"SECRET-DELTA-16B"
    labels = np.empty((32, 16), np.uint8)
    with pytest.raises((TypeError, ValueError)) as caught:
        _native.ot.extend_sender(leaves, delta, 0, 32, message, labels)
    assert "SECRET" not in str(caught.value)
    with pytest.raises((TypeError, ValueError)) as caught:
        _native.ot.additive_send(delta, delta, 0, 0, labels, message, labels, labels)
    assert "SECRET" not in str(caught.value)
