"""Both parties in one process: errors come to the caller, nothing hangs, and the document's script runs."""

from __future__ import annotations

import dataclasses
import re
import traceback
from pathlib import Path

import numpy as np
import pytest

from pi_bench.errors import PeerError
from pi_bench.protocol import Party, PartyProtocol, Preprocessing, ProtocolInfo, ProtocolOptions
from pi_bench.registry import find_protocol
from pi_bench.testing import TwoParties, run_in_memory
from tests.contract.conftest import compiled

DOCUMENT = Path(__file__).parents[3] / "docs" / "debugging-a-protocol.md"
IDEAL = find_protocol("ideal")


def with_server(**methods: object) -> ProtocolInfo:
    return dataclasses.replace(IDEAL, server=type("ChangedServer", (IDEAL.server,), methods))


def test_the_error_of_the_first_party_that_fails_comes_with_its_traceback() -> None:
    """The other one waits for ever for a message, and is told."""

    def fails_here(self: PartyProtocol, material: Preprocessing, encoded_input: object) -> None:
        raise ZeroDivisionError("made up")

    program, weights, inputs = compiled(1)
    info = with_server(infer=fails_here)
    with pytest.raises(ZeroDivisionError) as caught:
        run_in_memory(info, program, weights, inputs[:1], ProtocolOptions("windowed"), timeout_s=None)
    assert "fails_here" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_a_message_of_another_size_is_named() -> None:
    def sends_less(self: PartyProtocol, material: Preprocessing, encoded_input: object) -> None:
        material.claim("ideal")
        with self.session.step(self.program.output.id):
            self.session.send(b"123")

    program, weights, inputs = compiled(1)
    with pytest.raises(PeerError, match=r"client received step .*, 3 bytes, where step .*, 12 bytes was due"):
        run_in_memory(
            with_server(infer=sends_less), program, weights, inputs[:1], ProtocolOptions("windowed")
        )


def test_material_that_a_party_does_not_claim_is_an_error() -> None:
    def forgetful(self: PartyProtocol, material: Preprocessing, encoded_input: object) -> None:
        copy = Preprocessing("ideal", material.inference_id, dict(material._arrays or {}))
        IDEAL.server.infer(self, copy, None)

    program, weights, inputs = compiled(1)
    with pytest.raises(RuntimeError, match="server of ideal did not claim its material"):
        run_in_memory(with_server(infer=forgetful), program, weights, inputs[:1], ProtocolOptions("windowed"))


def test_leaving_burns_material_that_was_not_used() -> None:
    program, weights, _ = compiled(1)
    with TwoParties(IDEAL, program, weights, ProtocolOptions("windowed")) as parties:
        materials = parties.preprocess()
        assert not any(material.spent for material in materials.values())
    assert all(materials[party].spent for party in Party)


def test_the_script_of_the_document_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(script, names)
    out = capsys.readouterr().out
    assert "online 0 client" in out
    logits = np.array(re.findall(r"-?\d+\.\d*", out.splitlines()[0]), float)
    np.testing.assert_allclose(logits, [4, 4], atol=0.2)
