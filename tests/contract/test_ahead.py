"""One offline phase for several inferences: each is right, has material of its own, and is used once."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict

import numpy as np
import pytest

from pi_bench.errors import ConnectionFailedError, PeerError, PreprocessingSpentError
from pi_bench.network.program import derived_values
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.registry import find_protocol
from pi_bench.testing import TwoParties
from tests.contract.conftest import leave, sending_other
from tests.contract.test_agreement import _check_law
from tests.contract.test_messages import _of, _shape
from tests.contract.test_one_time import made_secrets

AHEAD = 3


def ahead_of(info: ProtocolInfo, mode: str | None = None, ahead: int = AHEAD) -> ProtocolOptions:
    return info.configure(mode, ahead=ahead)


def test_every_inference_of_a_phase_follows_the_law(protocol, network, run) -> None:
    """Of one whole phase and of the first inference of the next one."""
    program, weights, inputs = network
    options = ahead_of(protocol)
    given = [*inputs, inputs[0]]
    outcomes = run(protocol, program, weights, given, options)
    for encoded, outcome in zip(given, outcomes, strict=True):
        _check_law(program, weights, outcome, protocol.law(options), encoded)
    began = [any("offline" in m.phase for m in outcome.transcript) for outcome in outcomes]
    assert began == [True, False, False, True]


@pytest.mark.parametrize("name", ["delphi", "fss"])
def test_the_largest_number_of_inferences(name, small_network, run) -> None:
    program, weights, inputs = small_network
    info = find_protocol(name)
    options = ahead_of(info, "exact", ahead=16)
    outcomes = run(info, program, weights, [inputs[i % 3] for i in range(16)], options)
    for i, outcome in enumerate(outcomes):
        _check_law(program, weights, outcome, info.law(options), inputs[i % 3])


def test_bytes_equal_the_prediction_per_inference(protocol, network, run) -> None:
    program, weights, inputs = network
    options = ahead_of(protocol)
    first, *others = run(protocol, program, weights, inputs, options)
    predicted = protocol.predict(program, options)
    alone = protocol.predict(program, dataclasses.replace(options, ahead=1))
    for party in Party:
        sent: dict[tuple[int, str], int] = defaultdict(int)
        for message in _of(first.transcript, "offline", party):
            sent[message.op_id, message.part] += len(message.payload)
        assert sum(size // AHEAD for size in sent.values()) == predicted.offline[party]
        for outcome in (first, *others):
            online = sum(len(m.payload) for m in _of(outcome.transcript, "online", party))
            assert online == predicted.online[party] == alone.online[party]
    if protocol.name in ("delphi", "fss"):
        assert sum(predicted.offline.values()) < sum(alone.offline.values())


@pytest.mark.parametrize("name", ["delphi", "fss"])
def test_null_sends_the_messages_of_a_phase_once(name, small_network, run) -> None:
    program, weights, inputs = small_network
    info = find_protocol(name)
    real, null = (
        run(one, program, weights, inputs, ahead_of(one)) for one in (info, find_protocol(f"null:{name}"))
    )
    for (of_real, of_null), party in itertools.product(zip(real, null, strict=True), Party):
        for phase in ("offline", "online"):
            expected = _shape(_of(of_real.transcript, phase, party))
            assert _shape(_of(of_null.transcript, phase, party)) == expected


def test_the_materials_of_a_phase_share_no_array(secure_protocol, network) -> None:
    """Neither memory nor content: masks, blinds, delta, seeds, labels, tables and states are drawn anew."""
    program, weights, _ = network
    fixed = {f"constant:{op_id}" for op_id in derived_values(program)}  # biases alone, without a blind
    with TwoParties(secure_protocol, program, weights, ahead_of(secure_protocol)) as parties:
        materials = [parties.preprocess() for _ in range(AHEAD)]
        for first, second in itertools.combinations(materials, 2):
            for party in Party:
                held, other = (one[party]._arrays for one in (first, second))
                assert held is not None and other is not None and held.keys() == other.keys()
                for name in held.keys() - fixed - {"reverse_delta"}:  # the last one is of the connection
                    assert not np.shares_memory(held[name], other[name]), (party, name)
                    if held[name].nbytes >= 16:
                        assert not np.array_equal(held[name], other[name]), (party, name)


def test_burning_one_material_leaves_the_others(secure_protocol, small_network) -> None:
    """As an interrupted inference does: its material is spent, the next inference is right."""
    program, weights, inputs = small_network
    with TwoParties(secure_protocol, program, weights, ahead_of(secure_protocol, "exact")) as parties:
        expected = parties.infer(parties.preprocess(), inputs[0])
        burnt, kept = parties.preprocess(), parties.preprocess()
        for material in burnt.values():
            material.burn()
        with pytest.raises(PreprocessingSpentError):
            parties.infer(burnt, inputs[0])
    with TwoParties(secure_protocol, program, weights, ahead_of(secure_protocol, "exact")) as parties:
        _, burnt, kept = (parties.preprocess() for _ in range(AHEAD))
        for material in burnt.values():
            material.burn()
        assert np.array_equal(parties.infer(kept, inputs[0]), expected)
        assert all(material.spent for material in kept.values())


@pytest.mark.parametrize("victim", list(Party))
def test_a_failure_within_a_phase_wipes_the_secrets_of_every_inference(
    secure_protocol, victim, small_network, run, monkeypatch
) -> None:
    program, weights, inputs = small_network
    made, options = made_secrets(monkeypatch), ahead_of(secure_protocol)
    (whole,) = run(secure_protocol, program, weights, inputs[:1], options)
    before = sum(message.sender is victim for message in whole.set_up)
    offline = len(_of(whole.transcript, "offline", victim))
    for sent in range(before, before + offline, max(1, offline // 6)):
        made.clear()
        with pytest.raises(ConnectionFailedError):
            run(secure_protocol, program, weights, inputs[:1], options, sending_other(victim, sent, leave))
        assert made and all(secret.closed for secret in made), f"after {sent} messages of the {victim}"


@pytest.mark.parametrize("victim", list(Party))
def test_a_truncated_message_of_a_phase_is_refused(secure_protocol, victim, small_network, run) -> None:
    program, weights, inputs = small_network
    options = ahead_of(secure_protocol)
    (whole,) = run(secure_protocol, program, weights, inputs[:1], options)
    last = sum(message.sender is victim for message in whole.set_up)
    last += len(_of(whole.transcript, "offline", victim)) - 1

    def shorter(buffers: tuple) -> tuple:
        return (*buffers[:-1], memoryview(buffers[-1]).cast("B")[:-1])

    with pytest.raises((PeerError, ConnectionFailedError)):
        run(secure_protocol, program, weights, inputs[:1], options, sending_other(victim, last, shorter))
