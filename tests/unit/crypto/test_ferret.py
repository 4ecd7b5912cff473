"""Ferret between two parties: the relation over every kind of plan, one-time use, and a hostile peer."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.crypto import ferret, ferret_plan
from pi_bench.crypto.ferret import FerretReceiver, FerretSender
from pi_bench.crypto.ferret_groups import FerretGroups
from pi_bench.crypto.ferret_plan import (
    FerretBatch,
    FerretParameters,
    FerretPlan,
    choice_bytes,
    ferret_batches,
)
from pi_bench.errors import PeerError

from .conftest import CotInstance, random_bytes

TINY, MEDIUM = FerretParameters(5, 64, 60), FerretParameters(7, 200, 16)
"""Parameters that are not secure, for tests in which each batch makes little."""

Parties = tuple[FerretSender, FerretReceiver]
Pair = Callable[..., Parties]


def delta_of(seed: int, *, even: bool) -> bytes:
    delta = random_bytes(16, seed)
    delta[0] = delta[0] & 0xFE | (not even)
    return bytes(delta)


@pytest.fixture
def pair(cot_instance: CotInstance) -> Pair:
    """pair(plan, seed=0): two parties that have exchanged their first messages."""

    def parties(plan: FerretPlan, seed: int = 0, threads: int = 1) -> Parties:
        base_sender, base_receiver = cot_instance(delta_of(seed, even=plan.even), seed)
        sender, receiver = (
            FerretSender(base_sender, plan),
            FerretReceiver(base_receiver, plan, threads=threads),
        )
        corrections = sender.accept_set_up(receiver.set_up_message, threads=threads)
        assert len(receiver.set_up_message) == plan.set_up_bytes and len(corrections) == plan.correction_bytes
        receiver.accept(corrections, threads=threads)
        return sender, receiver

    return parties


def plan_of(*batches: FerretBatch, even: bool = False, context: bytes = b"test") -> FerretPlan:
    return FerretPlan(batches, context, even=even)


def extend(
    parties: Parties, packed: np.ndarray, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(zero labels, active labels, unpacked choices)."""
    sender, receiver = parties
    count = 8 * packed.size
    zero, active = np.empty((2, count, 16), np.uint8)
    message = receiver.extend(packed, count, active, threads=threads)
    assert len(message) == choice_bytes(count)
    sender.extend(message, count, zero, threads=3 - threads % 3)
    return zero, active, np.unpackbits(packed, bitorder="little")


def related(zero: np.ndarray, active: np.ndarray, choices: np.ndarray, delta: np.ndarray) -> bool:
    return bool((active == zero ^ choices[:, None] * delta).all())


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(data=st.data(), even=st.booleans(), threads=st.integers(1, 3), seed=st.integers(0, 1000))
def test_every_ot_of_a_plan_is_correlated(
    cot_instance: CotInstance, data: st.DataObject, even: bool, threads: int, seed: int
) -> None:
    """Three batches, of which two make the inputs of the next one, in calls of any sizes."""
    batches = FerretBatch(TINY, 60), FerretBatch(MEDIUM, 16), FerretBatch(MEDIUM, 8)
    plan = plan_of(*batches, even=even)
    base_sender, base_receiver = cot_instance(delta_of(seed, even=even), seed)
    sender, receiver = FerretSender(base_sender, plan), FerretReceiver(base_receiver, plan, threads=threads)
    receiver.accept(sender.accept_set_up(receiver.set_up_message, threads=2), threads=threads)
    left, found = plan.ot_count // 32, []
    while left:
        groups = data.draw(st.integers(1, left))
        zero, active, choices = extend((sender, receiver), random_bytes(4 * groups, left), threads)
        assert related(zero, active, choices, sender.delta.array)
        found += [zero, zero ^ sender.delta.array]
        left -= groups
    labels = np.concatenate(found)
    assert len(np.unique(labels.view("V16"))) == len(labels)  # no OT was given out twice


@pytest.mark.parametrize("count", [1000, 458_752, 470_000])
def test_real_parameters(pair: Pair, count: int) -> None:
    plan = plan_of(*ferret_batches(count))
    parties = pair(plan, threads=2)
    packed = random_bytes(4 * (-(-count // 32)), 3)
    zero, active, choices = extend(parties, packed, threads=2)
    assert related(zero, active, choices, parties[0].delta.array)


@pytest.mark.parametrize("count", [0, 1, 2048, 458_753, 2_867_200, 2_867_201, 9_000_000])
def test_a_plan_makes_what_was_asked_for_within_the_bounds_of_its_parameters(count: int) -> None:
    batches = ferret_batches(count)
    assert all(0 < batch.trees <= batch.parameters.most_trees for batch in batches)
    assert all(batch.output_count >= after.input_count for batch, after in itertools.pairwise(batches))
    made = plan_of(*batches).ot_count
    assert made >= count and (not batches or made - count < 2 * batches[-1].group_ots + batches[0].group_ots)
    if len(batches) > 1:
        assert all(batch.parameters is ferret_plan.LARGE for batch in batches[1:])


def test_the_sender_sees_uniform_choices_whatever_they_are(pair: Pair) -> None:
    """The message for choices that are all zero has as many ones as a fair coin, to 6 deviations."""
    _, receiver = pair(plan_of(FerretBatch(ferret_plan.SMALL, 40)))
    count = 20_480
    message = receiver.extend(bytes(count // 8), count, np.empty((count, 16), np.uint8))
    ones = int(np.unpackbits(np.frombuffer(message, np.uint8)).sum())
    assert abs(ones - count / 2) < 6 * count**0.5 / 2


def test_no_ot_serves_twice(pair: Pair) -> None:
    plan = plan_of(FerretBatch(TINY, 4))
    sender, receiver = pair(plan)
    first = extend((sender, receiver), bytes_of(8))
    second = extend((sender, receiver), bytes_of(8))
    assert not np.array_equal(first[0], second[0])
    labels = np.empty((32, 16), np.uint8)
    with pytest.raises(ValueError, match="no 32 OTs left"):
        receiver.extend(bytes(4), 32, labels)
    with pytest.raises(ValueError, match="no 32 OTs left"):
        sender.extend(bytes(4), 32, labels)
    with pytest.raises(ValueError, match="have their inputs"):
        sender.accept_set_up(receiver.set_up_message)
    with pytest.raises(ValueError, match="have their corrections"):
        receiver.accept(bytes(plan.correction_bytes))


def bytes_of(count: int) -> np.ndarray:
    return np.zeros(count, np.uint8)


def test_another_context_gives_unrelated_labels(cot_instance: CotInstance) -> None:
    """Both parties' seeds must agree: each context has its own hash and code."""
    plan, other = plan_of(FerretBatch(TINY, 4)), plan_of(FerretBatch(TINY, 4), context=b"other")
    base_sender, base_receiver = cot_instance(delta_of(1, even=False))
    sender, receiver = FerretSender(base_sender, plan), FerretReceiver(base_receiver, other)
    receiver.accept(sender.accept_set_up(receiver.set_up_message))
    zero, active, choices = extend((sender, receiver), random_bytes(16, 5))
    assert not related(zero, active, choices, sender.delta.array)


def test_mistakes_of_the_caller_take_no_ot(pair: Pair) -> None:
    sender, receiver = pair(plan_of(FerretBatch(TINY, 4)))
    good = np.empty((32, 16), np.uint8)
    for choice_bytes_given, labels in [
        (5, good),
        (4, np.empty((31, 16), np.uint8)),
        (4, np.empty((64, 16), np.uint8)[::2]),
        (4, np.empty((32, 4), np.uint32)),
    ]:
        with pytest.raises(ValueError):
            receiver.extend(bytes(choice_bytes_given), 32, labels)
    with pytest.raises(ValueError, match="multiples of 32"):
        sender.extend(bytes(4), 33, good)
    zero, active, choices = extend((sender, receiver), random_bytes(16, 6))  # all 128 are left
    assert related(zero, active, choices, sender.delta.array)


@pytest.mark.parametrize("size", [0, 1, 255, 257])
def test_messages_of_another_size_are_the_peer_s_error(cot_instance: CotInstance, size: int) -> None:
    plan = plan_of(FerretBatch(TINY, 4))
    base_sender, base_receiver = cot_instance(delta_of(2, even=False))
    sender, receiver = FerretSender(base_sender, plan), FerretReceiver(base_receiver, plan)
    with pytest.raises(PeerError, match=f"set-up message has {size} bytes"):
        sender.accept_set_up(bytes(size))
    with pytest.raises(PeerError, match=f"corrections has {size} bytes"):
        receiver.accept(bytes(size))
    receiver.accept(sender.accept_set_up(receiver.set_up_message))  # neither took anything
    with pytest.raises(PeerError, match="choices has"):
        sender.extend(bytes(size), 64, np.empty((64, 16), np.uint8))
    zero, active, choices = extend((sender, receiver), random_bytes(16, 6))
    assert related(zero, active, choices, sender.delta.array)


def test_garbage_of_the_right_size_gives_unrelated_labels_and_no_error(cot_instance: CotInstance) -> None:
    plan = plan_of(FerretBatch(TINY, 4))
    base_sender, base_receiver = cot_instance(delta_of(3, even=False))
    sender, receiver = FerretSender(base_sender, plan), FerretReceiver(base_receiver, plan)
    sender.accept_set_up(random_bytes(plan.set_up_bytes, 1))
    receiver.accept(random_bytes(plan.correction_bytes, 2))
    assert not related(*extend((sender, receiver), random_bytes(16, 6)), sender.delta.array)


def test_the_lowest_bit_of_delta_must_be_as_planned(cot_instance: CotInstance) -> None:
    for even in (False, True):
        base_sender, _ = cot_instance(delta_of(4, even=not even))
        with pytest.raises(ValueError, match="lowest bit of delta"):
            FerretSender(base_sender, plan_of(FerretBatch(TINY, 4), even=even))


def test_nothing_stays_of_inputs_and_choices(
    cot_instance: CotInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch uses 84 of its 96 inputs; the others are secrets as well."""
    bits: list[np.ndarray] = []
    set_lowest_bits = ferret._set_lowest_bits

    def watch(labels: np.ndarray, lowest: np.ndarray | int) -> None:
        set_lowest_bits(labels, lowest)
        bits.append(np.asarray(lowest))

    monkeypatch.setattr(ferret, "_set_lowest_bits", watch)
    plan = plan_of(FerretBatch(TINY, 4))
    base_sender, base_receiver = cot_instance(delta_of(7, even=False))
    sender, receiver = FerretSender(base_sender, plan), FerretReceiver(base_receiver, plan)
    inputs = receiver._inputs
    assert inputs is not None and (inputs[:, 0] & 1).any() and len(bits[0]) == 96 and not bits[0].any()
    with sender, receiver:
        receiver.accept(sender.accept_set_up(receiver.set_up_message))
        kept = [inputs, sender._batches[0].inputs]
        assert all(labels[84:].any() for labels in kept)
    assert not any(labels.any() for labels in kept)


@pytest.mark.parametrize("fails", ["correct_groups", "send_groups", "receive_groups"])
def test_a_call_that_fails_leaves_no_labels(
    cot_instance: CotInstance, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    seen: list[np.ndarray] = []

    def fail(call: FerretGroups, *arrays: np.ndarray) -> None:
        seen.extend((call.secrets, arrays[-1]))
        arrays[-1][...] = 0 if fails == "correct_groups" else 1  # corrections are no secret
        raise MemoryError

    plan = plan_of(FerretBatch(TINY, 60), FerretBatch(MEDIUM, 8))
    base_sender, base_receiver = cot_instance(delta_of(8, even=False))
    sender, receiver = FerretSender(base_sender, plan), FerretReceiver(base_receiver, plan)
    if fails == "receive_groups":
        corrections = sender.accept_set_up(receiver.set_up_message)
    monkeypatch.setattr(ferret, fails, fail)
    with pytest.raises(MemoryError):
        if fails == "receive_groups":
            receiver.accept(corrections)
        else:
            sender.accept_set_up(receiver.set_up_message)
    assert len(seen) == 2 and not any(labels.any() for labels in seen)


def test_a_closed_instance_refuses_and_holds_nothing(pair: Pair) -> None:
    sender, receiver = pair(plan_of(FerretBatch(TINY, 8)))
    extend((sender, receiver), random_bytes(4, 6))
    kept = [labels for party in (sender, receiver) for batch in party._batches for labels in batch.ready]
    kept += [batch.secrets for party in (sender, receiver) for batch in party._batches]
    assert all(labels.any() for labels in kept) and len(kept) == 4
    with sender, receiver:
        pass
    assert not any(labels.any() for labels in kept)
    with pytest.raises(ValueError, match="wiped"):
        receiver.extend(bytes(4), 32, np.empty((32, 16), np.uint8))
    with pytest.raises(ValueError, match="wiped"):
        sender.extend(bytes(4), 32, np.empty((32, 16), np.uint8))
