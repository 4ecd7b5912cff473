"""Preprocessing is used once, and a lost peer is named."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.crypto.secret import SecretBytes
from pi_bench.errors import ConnectionFailedError, PeerError, PreprocessingSpentError
from pi_bench.protocol import Party, Preprocessing
from tests.contract.conftest import leave, sending_other, sent_count


def test_material_is_claimed_once() -> None:
    material = Preprocessing("some", 3, {"mask": np.zeros(4, np.uint32)})
    assert material.storage_bytes == 16
    assert material.claim("some")["mask"].size == 4
    with pytest.raises(PreprocessingSpentError, match="inference 3"):
        material.claim("some")


def test_burned_material_cannot_be_claimed_and_wipes_secrets() -> None:
    class Secret:
        closed = 0

        def close(self) -> None:
            self.closed += 1

    secret = Secret()
    material = Preprocessing("some", 0, {}, [secret])
    material.burn()
    material.burn()
    assert secret.closed == 1
    with pytest.raises(PreprocessingSpentError):
        material.claim("some")


def test_another_protocols_material_is_refused() -> None:
    with pytest.raises(ValueError, match="'other'"):
        Preprocessing("some", 0, {}).claim("other")


@pytest.mark.parametrize("victim", list(Party))
def test_a_short_message_is_refused(protocol, victim, network, run) -> None:
    program, weights, inputs = network

    def cut(session) -> None:
        if session.party is victim:
            original = session.send
            session.send = lambda *buffers: original(*buffers[:-1], memoryview(buffers[-1]).cast("B")[:-1])

    with pytest.raises((PeerError, ConnectionFailedError)):
        run(protocol, program, weights, inputs[:1], None, change=cut)


def test_a_short_session_has_every_kind_of_message(
    secure_protocol, short_network, small_network, honest
) -> None:
    """So the tests below, which run a session for each of its messages, reach every step."""
    kinds = [
        {(m.phase.split()[0], m.part, m.sender) for m in (*first.set_up, *first.transcript)}
        for first, *_ in (honest(secure_protocol, given, None) for given in (short_network, small_network))
    ]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("victim", list(Party))
def test_a_failure_at_any_message_wipes_every_secret(
    secure_protocol, victim, short_network, run, monkeypatch
) -> None:
    """In set-up, offline and online phase, the failing party itself wipes its locked memory at once, and
    does not wait for the collector."""
    program, weights, inputs = short_network
    made = made_secrets(monkeypatch)

    mode = secure_protocol.mode_names[0]
    (whole,) = run(secure_protocol, program, weights, inputs[:1], mode)
    assert sent_count(whole, victim) > len(program.activation_ops)
    for sent in range(sent_count(whole, victim)):
        made.clear()
        with pytest.raises(ConnectionFailedError):
            run(secure_protocol, program, weights, inputs[:1], mode, sending_other(victim, sent, leave))
        assert made
        open_ones = [secret for secret in made if not secret.closed]
        assert not open_ones, f"after {sent} messages of the {victim}: {open_ones}"


@pytest.mark.parametrize("victim", list(Party))
def test_a_message_of_other_bytes_gives_an_answer_or_a_clear_error(
    secure_protocol, victim, short_network, run, monkeypatch
) -> None:
    """Each message in turn has random bytes of its length. The parties raise only the
    errors for bad messages, and both wipe their secrets."""
    program, weights, inputs = short_network
    made = made_secrets(monkeypatch)
    generator = np.random.default_rng(7)

    def random_bytes(buffers: tuple) -> tuple:
        return (generator.bytes(sum(memoryview(buffer).nbytes for buffer in buffers)),)

    mode = secure_protocol.mode_names[0]
    (whole,) = run(secure_protocol, program, weights, inputs[:1], mode)
    outcomes = set()
    for place in range(sent_count(whole, victim)):
        made.clear()
        try:
            (other,) = run(
                secure_protocol,
                program,
                weights,
                inputs[:1],
                mode,
                sending_other(victim, place, random_bytes),
            )
        except (PeerError, ConnectionFailedError):
            outcomes.add("error")
        else:
            outcomes.add("answer")
            assert other.output.shape == whole.output.shape
        assert made and all(secret.closed for secret in made), f"after message {place} of the {victim}"
    assert outcomes == {"error", "answer"}


def made_secrets(monkeypatch: pytest.MonkeyPatch) -> list[SecretBytes]:
    """Every locked memory that is made from now on."""
    made: list[SecretBytes] = []
    original = SecretBytes.__init__

    def recorded(self: SecretBytes, byte_count: int) -> None:
        original(self, byte_count)
        made.append(self)

    monkeypatch.setattr(SecretBytes, "__init__", recorded)
    return made
