"""Base OT: the relation, the separation of keys, and messages of a hostile peer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.crypto import base_ot
from pi_bench.crypto.base_ot import BaseOtReceiver, BaseOtSender, ot_context, reply_bytes
from pi_bench.errors import PeerError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "base_ot.json").read_text())
CONTEXT = ot_context(b"session", "labels")
IDENTITY = b"\1" + bytes(31)
ORDER_TWO = b"\xec" + b"\xff" * 30 + b"\x7f"
ORDER_FOUR = bytes(32)
ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
NOT_CANONICAL = b"\xee" + b"\xff" * 30 + b"\x7f"  # the identity plus the field's prime
NOT_ON_THE_CURVE = b"\2" + bytes(31)
# A point of order 8 times the group's order: the base point plus ORDER_EIGHT.
MIXED_ORDER = base_ot.sodium.crypto_core_ed25519_add(b"\x58" + b"\x66" * 31, ORDER_EIGHT)
BAD_POINTS = [IDENTITY, ORDER_TWO, ORDER_FOUR, ORDER_EIGHT, NOT_CANONICAL, NOT_ON_THE_CURVE, MIXED_ORDER]


def _bits(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, count, dtype=np.uint8)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=20), st.binary(max_size=40))
def test_the_receiver_gets_the_chosen_key_and_not_the_other(choices: list[int], context: bytes) -> None:
    choice_bits = np.array(choices, np.uint8)
    sender = BaseOtSender(context)
    receiver = BaseOtReceiver(context, sender.message, choice_bits)
    assert len(receiver.reply) == reply_bytes(len(choices))
    pairs = sender.keys(receiver.reply)
    rows = np.arange(len(choices))
    assert pairs.shape == (len(choices), 2, 16)
    assert np.array_equal(pairs[rows, choice_bits], receiver.keys)
    assert (pairs[rows, 1 - choice_bits] != receiver.keys).any(axis=1).all()


def test_all_keys_of_all_indices_sessions_and_directions_differ() -> None:
    keys = []
    with _counting_scalars():
        for context in (CONTEXT, ot_context(b"session", "select"), ot_context(b"other", "labels")):
            sender = BaseOtSender(context)
            receiver = BaseOtReceiver(context, sender.message, np.zeros(3, np.uint8))
            keys += [bytes(key) for pair in sender.keys(receiver.reply) for key in pair]
    assert len(set(keys)) == len(keys) == 18


def test_equal_points_at_two_indices_give_different_keys() -> None:
    sender = BaseOtSender(CONTEXT)
    reply = BaseOtReceiver(CONTEXT, sender.message, np.zeros(1, np.uint8)).reply
    pairs = sender.keys(reply * 2)
    assert len({bytes(key) for key in pairs.reshape(4, 16)}) == 4


def test_another_context_at_the_other_side_gives_other_keys() -> None:
    sender = BaseOtSender(CONTEXT)
    receiver = BaseOtReceiver(ot_context(b"ses", "sionlabels"), sender.message, _bits(4))
    assert not (sender.keys(receiver.reply) == receiver.keys[:, None]).all(axis=2).any()


def test_the_selection_is_by_masks() -> None:
    zeros, ones = _bits(6 * 32, 1).reshape(6, 32) * 255, _bits(6 * 32, 2).reshape(6, 32) * 255
    choice_bits = np.array([0, 1, 1, 0, 1, 0], np.uint8)
    expected = np.where(choice_bits[:, None] == 1, ones, zeros)
    assert np.array_equal(base_ot._select(zeros, ones, choice_bits), expected)


@pytest.mark.parametrize("choices", [[0, 0, 0], [1, 1, 1], [0, 1, 0]])
def test_the_group_operations_do_not_depend_on_the_choice_bits(choices: list[int]) -> None:
    sender = BaseOtSender(CONTEXT)
    calls: list[str] = []

    def record(name: str) -> Callable[..., bytes]:
        real = getattr(base_ot.sodium, name)

        def wrapped(*arguments: bytes) -> bytes:
            calls.append(name)
            return bytes(real(*arguments))

        return wrapped

    names = [
        n for n in dir(base_ot.sodium) if n.startswith(("crypto_core_ed25519_", "crypto_scalarmult_ed25519"))
    ]
    functions = [n for n in names if callable(getattr(base_ot.sodium, n)) and "valid" not in n]
    with mock.patch.multiple(base_ot.sodium, **{name: record(name) for name in functions}):
        BaseOtReceiver(CONTEXT, sender.message, np.array(choices, np.uint8))
    reduce, base = "crypto_core_ed25519_scalar_reduce", "crypto_scalarmult_ed25519_base_noclamp"
    add, multiply = "crypto_core_ed25519_add", "crypto_scalarmult_ed25519_noclamp"
    assert calls == [reduce] * 3 + [base] * 3 + [add] * 3 + [multiply] * 3


@pytest.mark.parametrize("point", BAD_POINTS)
def test_invalid_points_are_refused(point: bytes) -> None:
    with pytest.raises(PeerError, match="invalid point"):
        BaseOtReceiver(CONTEXT, point, _bits(2))
    sender = BaseOtSender(CONTEXT)
    good = BaseOtReceiver(CONTEXT, sender.message, _bits(1)).reply
    with pytest.raises(PeerError, match="invalid point"):
        sender.keys(good + point)


@given(st.binary(max_size=100))
def test_garbage_is_refused(data: bytes) -> None:
    """One of 16 drawn strings of 32 bytes is the encoding of a valid point, and no garbage."""
    if not (len(data) == 32 and base_ot.sodium.crypto_core_ed25519_is_valid_point(data)):
        with pytest.raises(PeerError):
            BaseOtReceiver(CONTEXT, data, _bits(2))
    if len(data) % 32:
        with pytest.raises(PeerError):
            BaseOtSender(CONTEXT).keys(data)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 32 * 65537])
def test_replies_of_impossible_size_are_refused(size: int) -> None:
    with pytest.raises(PeerError, match="points of 32 bytes"):
        BaseOtSender(CONTEXT).keys(bytes(size))


def test_a_sender_finishes_once() -> None:
    sender = BaseOtSender(CONTEXT)
    receiver = BaseOtReceiver(CONTEXT, sender.message, _bits(1))
    sender.keys(receiver.reply)
    with pytest.raises(ValueError, match="finished"):
        sender.keys(receiver.reply)


@pytest.mark.parametrize(
    "choice_bits",
    [
        np.zeros(0, np.uint8),
        np.zeros((2, 2), np.uint8),
        np.zeros(2, np.int64),
        np.array([0, 2], np.uint8),
        np.zeros(65537, np.uint8),
    ],
)
def test_wrong_choice_bits_are_the_caller_s_error(choice_bits: np.ndarray) -> None:
    with pytest.raises(ValueError, match="choice bits"):
        BaseOtReceiver(CONTEXT, BaseOtSender(CONTEXT).message, choice_bits)


def _counting_scalars() -> mock._patch[object]:
    """Scalars 1, 2, 3, ... in place of random ones."""
    counter = iter(range(1, 1000))
    return mock.patch.object(base_ot, "_random_scalar", lambda: next(counter).to_bytes(32, "little"))


def test_known_answers() -> None:
    with _counting_scalars():
        sender = BaseOtSender(bytes.fromhex(VECTORS["context"]))
        receiver = BaseOtReceiver(sender._context, sender.message, np.array(VECTORS["choice_bits"], np.uint8))
    assert sender.message.hex() == VECTORS["message"]
    assert receiver.reply.hex() == VECTORS["reply"]
    assert [bytes(key).hex() for key in receiver.keys] == VECTORS["receiver_keys"]
    pairs = sender.keys(receiver.reply)
    assert [[bytes(key).hex() for key in pair] for pair in pairs] == VECTORS["sender_keys"]
