"""Steps that extend OTs themselves: the same messages and states as from labels that were extended before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
import pytest

from pi_bench.crypto import fss
from pi_bench.crypto.fss import AnswerArguments, FssCall, FssSpec, RequestArguments
from pi_bench.crypto.ot_extension import CotReceiver, CotSender, base_choice_bits, extension_bytes
from pi_bench.crypto.postponed_ots import ReceiverOts, SenderOts
from pi_bench.crypto.symmetric import LANES

from .conftest import random_bytes

RELU = FssSpec("relu", 12, 23, False, 4095, sign_drop=1)
EXACT = FssSpec("relu", 12, 23, True, 2048)
TRUNCATE = FssSpec("truncate", 12, 31, True, 2048)
GROUPS = 130  # 12 OTs per element fill 24 chunks and a part of one more
Taken: TypeAlias = np.ndarray | SenderOts | ReceiverOts
Step: TypeAlias = tuple[Callable[[], None], tuple[np.ndarray, ...]]
CLIENT_DELTA, SERVER_DELTA = b"\x02" + bytes(15), b"\x01" + bytes(15)


def _words(count: int, seed: int) -> np.ndarray:
    return random_bytes(4 * count, seed).view(np.uint32)


def _outputs(spec: FssSpec, state_group_bytes: int, *messages: int) -> list[np.ndarray]:
    """State, scratch and bundle 1, and messages of so many bytes per group."""
    sizes = (state_group_bytes, spec.scratch_group_bytes, spec.bundle_group_bytes(1), *messages)
    return [np.zeros(GROUPS * size, np.uint8) for size in sizes]


def _sender(delta: bytes, receiver: CotReceiver, pairs: np.ndarray) -> CotSender:
    return CotSender(delta, pairs[np.arange(128), base_choice_bits(delta)], receiver.tree_message)


@pytest.mark.parametrize("spec", [RELU, EXACT, TRUNCATE], ids=["relu", "exact", "truncate"])
@pytest.mark.parametrize("threads", [1, 2])
def test_request_and_answer(spec: FssSpec, threads: int, isa: str) -> None:
    if isa == "portable" and spec is not RELU:
        pytest.skip("bitsliced AES is slow, and one gadget shows the path")
    call, seed = FssCall(spec, 9, 5, threads, isa), bytes(range(16))
    pairs = random_bytes((128, 2, 16), 1)
    chosen, asked = CotReceiver(pairs), CotReceiver(pairs)
    v, bits = _words(GROUPS * LANES, 2), _words(GROUPS * spec.client_bits, 3)
    choices, drawn = _words(GROUPS * spec.choice_ots, 4), _words(GROUPS * spec.server_bits, 5)
    packed = fss.request_choices(spec, v, bits)
    choice_ots, request_ots = (GROUPS * LANES * ots for ots in (spec.choice_ots, spec.request_ots))
    labels = [np.empty((GROUPS, spec.choice_ots, LANES, 16), np.uint8) for _ in range(2)]
    request_labels = [np.empty((GROUPS, spec.request_ots, LANES, 16), np.uint8) for _ in range(2)]
    choice_message = chosen.extend(choices.view(np.uint8), choice_ots, labels[1])
    states = {"client": spec.client_state_group_bytes, "server": spec.server_state_group_bytes}

    def request(zero, active) -> list[np.ndarray]:
        state, scratch, bundle, corrections = outputs = _outputs(
            spec, states["client"], spec.correction_group_bytes
        )
        arguments = (v, bits, zero, active, corrections, state, scratch, bundle)
        fss.request(call, RequestArguments(CLIENT_DELTA, seed, *arguments))
        return outputs

    def answer(zero, corrections: np.ndarray) -> list[np.ndarray]:
        state, scratch, bundle, opening = outputs = _outputs(spec, states["server"], spec.opening_group_bytes)
        arguments = (choices, drawn, labels[1], zero, corrections, opening, state, scratch, bundle)
        fss.answer(call, AnswerArguments(SERVER_DELTA, seed, *arguments))
        return outputs

    # As both parties with labels in buffers.
    first = _sender(CLIENT_DELTA, chosen, pairs)
    first.extend(choice_message, choice_ots, labels[0])
    message = asked.extend(packed, request_ots, request_labels[1])
    second = _sender(SERVER_DELTA, asked, pairs)
    second.extend(message, request_ots, request_labels[0])
    requested = request(labels[0], request_labels[1])
    answered = answer(request_labels[0], requested[3])

    # Again, with OTs of the same counters.
    first, second = _sender(CLIENT_DELTA, chosen, pairs), _sender(SERVER_DELTA, asked, pairs)
    asked._next_chunk = 0
    sent, ots = asked.extend_within(packed, request_ots)
    again = request(first.postpone(choice_message, choice_ots).take(), ots.take())
    assert sent == message
    for in_place, expected in zip(again, requested, strict=True):
        assert np.array_equal(in_place, expected)
    for in_place, expected in zip(
        answer(second.postpone(sent, request_ots).take(), requested[3]), answered, strict=True
    ):
        assert np.array_equal(in_place, expected)


def test_postponed_ots_take_their_counters_at_once() -> None:
    pairs = random_bytes((128, 2, 16), 1)
    sender = _sender(CLIENT_DELTA, CotReceiver(pairs), pairs)
    sender.postpone(bytes(extension_bytes(2080)), 2080)
    assert sender._next_chunk == 2


def test_ots_of_a_closed_instance_do_not_serve() -> None:
    """Their leaves are wiped, so everyone would know their labels, and the message would be the choices."""
    pairs = random_bytes((128, 2, 16), 1)
    receiver = CotReceiver(pairs)
    sender = _sender(CLIENT_DELTA, receiver, pairs)
    postponed = [sender.postpone(bytes(128), 32), receiver.extend_within(np.ones(4, np.uint8), 32)[1]]
    sender.close()
    receiver.close()
    for ots in postponed:
        with pytest.raises(ValueError, match="wiped"):
            ots.take()


def _steps(zero: Taken, active: Taken, zero_of_server: Taken, seed: int = 0) -> dict[str, Step]:
    """A request and an answer of one group, each with its messages."""
    v, bits = _words(LANES, 2 + seed), _words(RELU.client_bits, 3)
    choices, drawn = _words(RELU.choice_ots, 4), _words(RELU.server_bits, 5)
    labels = np.zeros((1, RELU.choice_ots, LANES, 16), np.uint8)
    corrections, opening, scratch, bundle = (
        np.zeros(size, np.uint8)
        for size in (RELU.correction_group_bytes, 0, RELU.scratch_group_bytes, RELU.bundle_group_bytes(1))
    )
    of_client, of_server = (
        np.zeros(size, np.uint8) for size in (RELU.client_state_group_bytes, RELU.server_state_group_bytes)
    )
    requested = (v, bits, zero, active, corrections, of_client, scratch, bundle)
    answered = (choices, drawn, labels, zero_of_server, corrections, opening, of_server, scratch, bundle)
    call, hash_seed = FssCall(RELU, 9, 0), bytes(16)
    request = RequestArguments(CLIENT_DELTA, hash_seed, *requested)
    answer = AnswerArguments(SERVER_DELTA, hash_seed, *answered)
    return {
        "request": (partial(fss.request, call, request), (corrections, of_client, scratch, bundle)),
        "answer": (partial(fss.answer, call, answer), (of_server, scratch, bundle)),
    }


def _ots(choice_bits: np.ndarray) -> tuple[CotReceiver, CotSender, Taken, Taken, Taken]:
    """OTs of one group, in the order of `_steps`, and their instances."""
    pairs = random_bytes((128, 2, 16), 1)
    receiver = CotReceiver(pairs)
    sender = _sender(CLIENT_DELTA, receiver, pairs)
    chosen, asked = (LANES * ots for ots in (RELU.choice_ots, RELU.request_ots))
    zero = sender.postpone(bytes(extension_bytes(chosen)), chosen).take()
    _, active = receiver.extend_within(choice_bits, asked)
    zero_of_server = sender.postpone(bytes(extension_bytes(asked)), asked).take()
    return receiver, sender, zero, active.take(), zero_of_server


@pytest.mark.parametrize("name", ["request", "answer"])
def test_the_kernel_takes_ots_once(name: str) -> None:
    """Two requests of the same OTs with other choices would give their difference away."""
    choice_bits = np.zeros(LANES * RELU.request_ots // 8, np.uint8)
    receiver, sender, zero, active, zero_of_server = _ots(choice_bits)
    _, _, fresh, again, _ = _ots(choice_bits)
    with receiver, sender:
        step, outputs = _steps(zero, active, zero_of_server)[name]
        step()
        assert any(map(np.any, outputs))
        choice_bits ^= 0xFF
        # One kind of OTs alone has served, then the other one.
        for ots in ((zero, again), (fresh, active)):
            step, outputs = _steps(*ots, zero_of_server, seed=1)[name]
            with pytest.raises(ValueError, match="these OTs have served"):
                step()
            assert not any(map(np.any, outputs))


@pytest.mark.parametrize("name", ["request", "answer"])
def test_the_kernel_takes_no_ots_of_an_instance_that_is_closed_meanwhile(name: str) -> None:
    receiver, sender, *ots = _ots(np.ones(LANES * RELU.request_ots // 8, np.uint8))
    step, outputs = _steps(*ots)[name]
    receiver.close()
    if name == "answer":
        sender.close()
    with pytest.raises(ValueError, match="the instance of these OTs was wiped"):
        step()
    assert not any(map(np.any, outputs))


def test_a_wrong_number_of_ots_is_refused() -> None:
    receiver, sender, _, active, zero_of_server = _ots(np.zeros(LANES * RELU.request_ots // 8, np.uint8))
    with receiver, sender:
        zero = sender.postpone(bytes(extension_bytes(32)), 32).take()
        with pytest.raises(ValueError, match="choice_labels: need 384 OTs, got 32"):
            _steps(zero, active, zero_of_server)["request"][0]()
        with pytest.raises(ValueError, match="choice_labels: need"):  # labels of one kind alone
            _steps(np.zeros(16, np.uint8), active, zero_of_server)["request"][0]()
