"""One offline phase for several inferences: each is right, has material of its own, and is used once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pi_bench.crypto.he import HE_PLANS, HeClient
from pi_bench.errors import ConnectionFailedError, PeerError, PreprocessingSpentError
from pi_bench.hybrid.shared_uploads import program_products
from pi_bench.protocol import Party, Preprocessing, ProtocolInfo, ProtocolOptions
from pi_bench.registry import find_protocol
from pi_bench.testing import TwoParties
from tests.contract.conftest import check_law, compiled, leave, sending_other
from tests.contract.test_messages import _of
from tests.contract.test_one_time import made_secrets

AHEAD = 3


def ahead_of(info: ProtocolInfo, mode: str | None = None, ahead: int = AHEAD) -> ProtocolOptions:
    return info.configure(mode, ahead=ahead)


def test_the_next_phase_begins_when_the_material_is_used_up(protocol, short_network, run) -> None:
    program, weights, inputs = short_network
    options = ahead_of(protocol)
    given = [*inputs, inputs[0]]
    outcomes = run(protocol, program, weights, given, options)
    for encoded, outcome in zip(given, outcomes, strict=True):
        check_law(program, weights, outcome, protocol.law(options), encoded)
    began = [any("offline" in m.phase for m in outcome.transcript) for outcome in outcomes]
    assert began == [True, False, False, True]


@pytest.mark.parametrize("name", ["delphi", "fss"])
def test_the_largest_number_of_inferences(name, short_network, run) -> None:
    program, weights, inputs = short_network
    info = find_protocol(name)
    options = ahead_of(info, "exact", ahead=16)
    outcomes = run(info, program, weights, [inputs[i % 3] for i in range(16)], options)
    for i, outcome in enumerate(outcomes):
        check_law(program, weights, outcome, info.law(options), inputs[i % 3])


@pytest.mark.parametrize("plan", HE_PLANS)
def test_batches_of_several_inferences_share_uploads(secure_protocol, plan, run) -> None:
    """The images of every inference, and the weights of two terms, are in one product."""
    program, weights, inputs = compiled(batch=2)
    options = secure_protocol.configure("exact", {"he_plan": plan}, ahead=AHEAD)
    (shared,) = (job for job in program_products(program, plan, AHEAD) if len(job.parts) > 1)
    assert shared.plan.in_shape[0] == 2 * AHEAD
    for encoded, outcome in zip(inputs, run(secure_protocol, program, weights, inputs, options), strict=True):
        check_law(program, weights, outcome, secure_protocol.law(options), encoded)


def test_an_inference_takes_fewer_bytes_offline_and_as_many_online(secure_protocol, network) -> None:
    alone, together = (
        secure_protocol.predict(network[0], ahead_of(secure_protocol, ahead=ahead)) for ahead in (1, AHEAD)
    )
    assert sum(together.offline.values()) < sum(alone.offline.values())
    assert together.online == alone.online


def test_the_materials_of_a_phase_share_no_array(secure_protocol, network) -> None:
    """Neither memory nor content: masks, blinds, delta, seeds, labels, tables and states are drawn anew."""
    program, weights, _ = network
    weighted = {op.id for op in program.linear_ops if any(term.weighted is not None for term in op.terms)}
    fixed = {f"constant:{op.id}" for op in program.linear_ops if op.id not in weighted}  # biases, no blinds
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


def test_burning_one_material_leaves_the_others(secure_protocol, short_network) -> None:
    """As an interrupted inference does: its material is spent, the next inference is right."""
    program, weights, inputs = short_network
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
    secure_protocol, victim, short_network, run, monkeypatch
) -> None:
    program, weights, inputs = short_network
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
def test_a_failure_after_a_phase_burns_the_materials_that_were_made(
    secure_protocol, victim, short_network, monkeypatch
) -> None:
    """The third material of the victim cannot be made. The memory of all three is given back."""
    program, weights, _ = short_network
    made = made_secrets(monkeypatch)

    def failing(name: str, inference_id: int, arrays: dict, *secrets: object) -> Preprocessing:
        party = Party.CLIENT if "output_share" in arrays else Party.SERVER
        if (party, inference_id) == (victim, AHEAD - 1):
            raise MemoryError
        return Preprocessing(name, inference_id, arrays, *secrets)

    monkeypatch.setattr("pi_bench.hybrid.parties.party.Preprocessing", failing)
    with TwoParties(secure_protocol, program, weights, ahead_of(secure_protocol)) as parties:
        with pytest.raises(MemoryError):
            parties.preprocess()
        assert len(parties._sides[victim]._pool._free) == AHEAD
    assert made
    assert all(secret.closed for secret in made)


def test_one_inference_cannot_be_prepared_where_a_phase_is_for_several(
    secure_protocol, short_network
) -> None:
    """`preprocess` would return one of the materials, or fail after it has sent them all."""
    program, weights, _ = short_network
    with TwoParties(secure_protocol, program, weights, ahead_of(secure_protocol)) as parties:
        for side in parties._sides.values():
            with pytest.raises(AssertionError, match="preprocess_ahead is for several"):
                side.preprocess(0)


@pytest.mark.parametrize("ahead", [1, 2])
def test_copies_of_masks_are_wiped_after_encryption_and_masks_are_not(
    secure_protocol, ahead, small_network, run, monkeypatch
) -> None:
    """A product of several inferences encrypts a copy of all their masks."""
    program, weights, inputs = small_network
    encrypt, operands = HeClient.encrypt, []

    def recorded(client, plan, r, *rest):
        operands.append(r)
        return encrypt(client, plan, r, *rest)

    monkeypatch.setattr(HeClient, "encrypt", recorded)
    (outcome,) = run(secure_protocol, program, weights, inputs[:1], ahead_of(secure_protocol, None, ahead))
    check_law(program, weights, outcome, secure_protocol.law(ahead_of(secure_protocol)), inputs[0])
    kept = [bool(operand.any()) for operand in operands]
    assert any(kept) == (ahead == 1), "a single mask is encrypted where it lies"


@pytest.mark.parametrize("victim", list(Party))
def test_a_truncated_message_of_a_phase_is_refused(secure_protocol, victim, short_network, run) -> None:
    program, weights, inputs = short_network
    options = ahead_of(secure_protocol)
    (whole,) = run(secure_protocol, program, weights, inputs[:1], options)
    last = sum(message.sender is victim for message in whole.set_up)
    last += len(_of(whole.transcript, "offline", victim)) - 1

    def shorter(buffers: tuple) -> tuple:
        return (*buffers[:-1], memoryview(buffers[-1]).cast("B")[:-1])

    with pytest.raises((PeerError, ConnectionFailedError)):
        run(secure_protocol, program, weights, inputs[:1], options, sending_other(victim, last, shorter))
