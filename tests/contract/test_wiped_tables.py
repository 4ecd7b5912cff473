"""Secrets of shared tables stay in no memory: not after a burn, and not after a lost connection."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pi_bench.crypto import fss
from pi_bench.errors import ConnectionFailedError
from pi_bench.hybrid.parties.material import Arena, BufferPool
from pi_bench.protocol import Party, ProtocolOptions
from pi_bench.registry import find_protocol
from pi_bench.testing import TwoParties
from tests.contract.conftest import leave, sending_other, sent_count

FSS = find_protocol("fss")


class Broken(Exception):
    """Represents an error of a step, such as memory that is used up."""


class Memory:
    """Everything that holds labels, nodes, choices, bits or states, at both parties."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.buffers: list[np.ndarray] = []  # labels and nodes, whole
        self.drawn: list[np.ndarray] = []
        self.arenas: list[Arena] = []
        take, begin = BufferPool.take, Arena.__init__

        def taken(pool: BufferPool, byte_count: int) -> np.ndarray:
            buffer = take(pool, byte_count)
            self.buffers.append(buffer.base)
            return buffer

        def begun(arena: Arena, *arguments) -> None:
            begin(arena, *arguments)
            self.arenas.append(arena)

        def drawn(original, *arguments) -> np.ndarray:
            self.drawn.append(original(*arguments))
            return self.drawn[-1]

        monkeypatch.setattr(BufferPool, "take", taken)
        monkeypatch.setattr(Arena, "__init__", begun)
        for name in ("draw_choices", "draw_bits", "request_choices"):
            monkeypatch.setattr(fss, name, partial(drawn, getattr(fss, name)))

    def secrets(self) -> dict[str, int]:
        """Bytes that are not 0."""
        return {
            "labels and nodes": sum(np.count_nonzero(buffer) for buffer in self.buffers),
            "choices and bits": sum(np.count_nonzero(array) for array in self.drawn),
            "states": sum(np.count_nonzero(np.frombuffer(arena._pages, np.uint8)) for arena in self.arenas),
        }


@pytest.fixture
def memory(monkeypatch) -> Memory:
    return Memory(monkeypatch)


@pytest.mark.parametrize("mode", ["windowed", "exact"])
def test_burned_material_leaves_no_secret(mode, network, memory) -> None:
    program, weights, inputs = network
    with TwoParties(FSS, program, weights, ProtocolOptions(mode)) as parties:
        for used in (False, True):
            materials = parties.preprocess()
            left = memory.secrets()
            assert memory.buffers and memory.drawn
            assert left.pop("states") > 0, "the material itself"
            assert not any(left.values()), left
            if used:
                parties.infer(materials, inputs[0])
            for material in materials.values():
                material.burn()
            assert not any(memory.secrets().values()), memory.secrets()


@pytest.mark.parametrize("victim", list(Party))
def test_a_failure_at_any_message_leaves_no_secret(victim, short_network, run, memory) -> None:
    program, weights, inputs = short_network

    (whole,) = run(FSS, program, weights, inputs[:1], "exact")
    assert not any(memory.secrets().values()), memory.secrets()
    for sent in range(sent_count(whole, victim)):
        with pytest.raises(ConnectionFailedError):
            run(FSS, program, weights, inputs[:1], "exact", sending_other(victim, sent, leave))
        assert not any(memory.secrets().values()), (sent, memory.secrets())


@pytest.mark.parametrize("ot", ["softspoken", "ferret"])
@pytest.mark.parametrize("step", ["request", "answer"])
def test_a_step_that_fails_leaves_no_secret(step, ot, short_network, run, memory, monkeypatch) -> None:
    """Not the choices and bits that it has just drawn, and not the labels that were just extended."""
    program, weights, inputs = short_network
    calls = []

    def failing(*arguments) -> None:
        calls.append(memory.secrets()["choices and bits"])
        raise Broken

    monkeypatch.setattr(fss, step, failing)
    with pytest.raises(Broken):
        run(FSS, program, weights, inputs[:1], FSS.configure("windowed", {"ot": ot}))
    assert calls[0] > 0 and memory.buffers
    assert not any(memory.secrets().values()), memory.secrets()
