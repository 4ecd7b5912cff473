"""`null` follows scripts that differ from delphi's: the input and the logits find their messages."""

from __future__ import annotations

import dataclasses
import importlib

import numpy as np
import pytest

from pi_bench.arithmetic.law import WORD_BYTES
from pi_bench.costs import CostUnits
from pi_bench.errors import UsageError
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.program import Program, element_count
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.protocol.prediction import PredictedBytes
from pi_bench.protocol.script import Message, PhaseScript, Purpose, RunScript
from pi_bench.registry import find_protocol
from pi_bench.testing import run_in_memory
from tests.contract.conftest import compiled

SET_UP = (Message(Party.SERVER, -1, "key", 9), Message(Party.CLIENT, -1, "key", 4))


def protocol_of(script) -> ProtocolInfo:
    """A null of a protocol with this script; `derive` reads nothing else of the other protocol."""
    delphi = find_protocol("delphi")
    derive = importlib.import_module("pi_bench.protocols.null").derive
    return derive(dataclasses.replace(delphi, name="other", script=script))


def two_rounds(program: Program, options: ProtocolOptions, input_bytes: int | None = None) -> RunScript:
    """A server that computes for an activation before it has the input, an input in two messages, two rounds
    per activation in parts of their own, and more bytes than logits."""
    due = WORD_BYTES * element_count(program.input.shape) if input_bytes is None else input_bytes
    online, offline = PhaseScript("online"), PhaseScript("offline")
    offline.message(Party.CLIENT, -1, "command", Purpose.OTHER, 5, between=True)
    offline.message(Party.CLIENT, program.output.id, "seed", Purpose.OTHER, 7)
    made_ready = CostUnits({"made up": 1.0})
    online.server.compute(program.activation_ops[0].id, "he", Purpose.RELU, made_ready)  # before the input
    online.message(Party.CLIENT, program.input.id, "he", Purpose.OTHER, 3)
    online.message(Party.CLIENT, program.input.id, "", Purpose.OTHER, due - 3)
    for op in program.activation_ops:
        for part in ("he", "compare"):
            online.message(Party.SERVER, op.id, part, Purpose.RELU, 11)
            online.message(Party.CLIENT, op.id, part, Purpose.RELU, 13)
    logits = WORD_BYTES * element_count(program.output.shape)
    online.message(Party.SERVER, program.output.id, "", Purpose.OTHER, logits + 8)
    return RunScript(offline, online, set_up=SET_UP)


def test_a_script_of_another_shape_is_played_and_the_answer_is_right() -> None:
    program, weights, inputs = compiled(1)
    info = protocol_of(two_rounds)
    assert (info.name, info.secure, info.script) == ("null:other", False, None)
    assert "INSECURE" in info.title
    (run,) = run_in_memory(info, program, weights, inputs[:1], ProtocolOptions("exact"))
    reference = run_reference(program, weights, inputs[0])
    np.testing.assert_array_equal(run.output, reference.values[program.output.id])
    expected = PredictedBytes.of(two_rounds(program, ProtocolOptions("windowed")))
    for party in Party:
        for phase, payloads in (("offline", expected.offline), ("online", expected.online)):
            own = [m for m in run.transcript if m.sender is party and m.phase.startswith(phase)]
            assert sum(len(m.payload) for m in own) == payloads.get(party, 0)
    assert [(m.sender, m.part, len(m.payload)) for m in run.set_up] == [
        (Party.SERVER, "key", 9), (Party.CLIENT, "key", 4)
    ]  # fmt: skip


def test_a_script_with_too_few_bytes_for_the_input_is_refused() -> None:
    program, weights, inputs = compiled(1)
    info = protocol_of(lambda program, options: two_rounds(program, options, 100))
    with pytest.raises(UsageError, match="messages of the input have 100 bytes, and the input has 512"):
        run_in_memory(info, program, weights, inputs[:1], ProtocolOptions("windowed"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("delphi:null", "protocol delphi is not made of another one"),
        ("null:ideal", "protocol ideal has no script"),
        ("null:null:delphi", "there is no protocol 'null:delphi'"),
        ("null:", "there is no protocol ''"),
        ("nothing:delphi", "there is no protocol 'nothing'"),
    ],
)
def test_names_that_cannot_be_made_are_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_protocol(name)


def test_null_plays_the_default_protocol() -> None:
    """Each protocol imports no other one, so null repeats what delphi declares."""
    null, delphi = find_protocol("null"), find_protocol("delphi")
    for name in ("modes", "options", "parts", "constants", "predict", "settle"):
        assert getattr(null, name) == getattr(delphi, name)
    for own in (null.client, null.server):
        assert own.script is delphi.script
        assert all(own.law is mode.law for mode in delphi.modes)
