"""Laws of FSS gadgets over random windows: what they compute, and what damaged messages and states can do.

PI_BENCH_FUZZ=N draws N times as many gadgets (`make fuzz`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pi_bench import _native
from pi_bench.arithmetic import law
from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from tests.fss_parties import LANES, FssRun, ideal_material, prepare, run_online

FUZZ = int(os.environ.get("PI_BENCH_FUZZ", "1"))
GROUPS = 3


@dataclass(frozen=True)
class Gadget:
    """A gadget, the mode whose law it follows, and the values and shares of one run."""

    spec: FssSpec
    mode: str
    sign_drop: int
    isa: str
    seed: int

    def values(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, v and the next mask; x is near a border of the window, near 0, or anywhere."""
        rng = np.random.default_rng(self.seed)
        x, v, next_mask = rng.integers(0, 2**32, (3, GROUPS * LANES), np.uint32)
        spread = rng.integers(-(2 << self.spec.truncate_bits), 2 << self.spec.truncate_bits, x.size)
        border = rng.choice([0, 1 << self.spec.window_bits, -(1 << self.spec.window_bits)], x.size)
        near = (border + spread).astype(np.uint64).astype(np.uint32)
        x = np.where(rng.random(x.size) < 0.7, near, x)
        if self.spec.kind == "truncate":
            x = (x.view(np.int32) >> 2).view(np.uint32)
        return x, v, next_mask

    def expected(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        if self.spec.kind == "truncate":
            return law.truncate_law(x, v, self.spec.truncate_bits, self.mode)
        spec = self.spec
        return law.relu_law(x, v, spec.truncate_bits, spec.window_bits, self.mode, self.sign_drop)

    def run(self) -> np.ndarray:
        """Returns y of all elements, revealed."""
        x, v, next_mask = self.values()
        call = FssCall(self.spec, gadget=9, first_group=self.seed % 1000, isa=self.isa)
        material = ideal_material(self.spec, GROUPS, self.seed)
        run = run_online(prepare(self.spec, v, material, call=call), x - v, next_mask, call=call)
        assert run.share is not None
        return run.share + next_mask


def isas() -> list[str]:
    """The instruction-set paths of this processor."""
    found = []
    for isa in ("portable", "aesni", "vaes512"):
        try:
            found.append(_native.symmetric.resolve_isa(isa))
        except _native.symmetric.UnsupportedCpuError:
            continue
    return found


@st.composite
def gadgets(draw: Callable[..., Any]) -> Gadget:
    isa, seed = draw(st.sampled_from(isas())), draw(st.integers(0, 1 << 30))
    mode = draw(st.sampled_from(["windowed", "exact", "truncated-sign", "truncate"]))
    f = draw(st.integers(0, 20))
    if mode == "truncate":
        f = max(1, min(f, 15))
        return Gadget(FssSpec("truncate", f, 31, True, law.offset("exact", f)), "exact", 0, isa, seed)
    top = f + draw(st.integers(0, min(16, 31 - f)))
    sign_drop = draw(st.integers(0, top - f)) if mode == "truncated-sign" else 0
    drop = law.dropped_sign_bits(mode, f, top, sign_drop)
    try:
        spec = FssSpec("relu", f, top, mode == "exact", law.offset(mode, f), drop)
    except ValueError as error:
        assert "garbled gadget" in str(error)  # no table holds it
        assume(False)
    return Gadget(spec, mode, sign_drop, isa, seed)


def laws(count: int) -> settings:
    return settings(max_examples=count * FUZZ, deadline=None)


@laws(60)
@given(gadgets())
def test_a_gadget_follows_its_law(gadget: Gadget) -> None:
    x, v, _ = gadget.values()
    np.testing.assert_array_equal(gadget.run(), gadget.expected(x, v))


RECEIVED = {"answer": "corrections", "grow": "received", "evaluate": "message", "finish": "answer"}
"""The step that takes a message, and the argument."""

STORED = {"encode": "server_state_group_bytes", "evaluate": "client_state_group_bytes"}
"""The step that takes a stored state, and the state's bytes per group."""


@dataclass
class Damage:
    """Changes one argument of one call of a step, once."""

    step: str
    argument: str
    number: int
    change: Callable[[np.ndarray], np.ndarray]
    refused: str | None = None
    """The message of the error, where the damaged argument was refused."""
    seen: int = -1

    def apply(self) -> mock._patch[Any]:
        original = getattr(fss, self.step)

        def damaged(call: Any, arguments: Any) -> None:
            self.seen += 1
            if self.seen == self.number:
                given = np.ascontiguousarray(getattr(arguments, self.argument))
                changed = replace(arguments, **{self.argument: self.change(given.copy())})
                try:
                    return original(call, changed)
                except ValueError as error:
                    self.refused = str(error)
            return original(call, arguments)

        return mock.patch.object(fss, self.step, damaged)


def under(damage: Damage, gadget: Gadget) -> np.ndarray:
    with ExitStack() as stack:
        stack.enter_context(damage.apply())
        result = gadget.run()
    assume(damage.seen >= damage.number)  # such a gadget has no such message
    return result


def number_of(draw: st.DataObject, step: str, gadget: Gadget) -> int:
    """Which of the calls of a step: both parties grow every level."""
    calls = 2 * gadget.spec.bundle_count if step == "grow" else 1
    assume(calls > 0)
    return draw.draw(st.integers(0, calls - 1))


@laws(60)
@given(gadgets(), st.data(), st.sampled_from(sorted(RECEIVED)), st.integers(0, GROUPS - 1), st.integers(0, 7))
def test_a_flipped_bit_of_a_message_harms_its_own_group_alone(
    gadget: Gadget, draw: st.DataObject, step: str, group: int, bit: int
) -> None:
    def flip(message: np.ndarray) -> np.ndarray:
        raw = message.view(np.uint8)
        assume(raw.size > 0)
        size = raw.size // GROUPS
        raw[group * size + draw.draw(st.integers(0, size - 1))] ^= 1 << bit
        return message

    damage = Damage(step, RECEIVED[step], number_of(draw, step, gadget), flip)
    result, (x, v, _) = under(damage, gadget), gadget.values()
    assert damage.refused is None
    others = np.arange(x.size) // LANES != group
    np.testing.assert_array_equal(result[others], gadget.expected(x, v)[others])


@laws(60)
@given(gadgets(), st.data(), st.sampled_from(sorted(RECEIVED)), st.integers(-300, 300).filter(bool))
def test_a_message_of_another_length_is_refused_and_spends_nothing(
    gadget: Gadget, draw: st.DataObject, step: str, more: int
) -> None:
    """The step can be taken again with the right message, and the result is right."""

    def resize(message: np.ndarray) -> np.ndarray:
        assume(message.size + more >= 0)
        return np.resize(message, message.size + more) if message.size else np.zeros(abs(more), message.dtype)

    damage = Damage(step, RECEIVED[step], number_of(draw, step, gadget), resize)
    result, (x, v, _) = under(damage, gadget), gadget.values()
    assert damage.refused is not None and ": need " in damage.refused
    np.testing.assert_array_equal(result, gadget.expected(x, v))


@laws(60)
@given(gadgets(), st.data(), st.sampled_from(sorted(STORED)), st.integers(0, GROUPS - 1), st.integers(0, 7))
def test_a_flipped_bit_of_a_state_harms_its_own_group_alone(
    gadget: Gadget, draw: st.DataObject, step: str, group: int, bit: int
) -> None:
    """Except in the count of steps: a state that says it served, or is not ready, is refused."""
    size = getattr(gadget.spec, STORED[step])
    place = draw.draw(st.integers(0, size - 1))

    def flip(state: np.ndarray) -> np.ndarray:
        state[group * size + place] ^= 1 << bit
        return state

    damage = Damage(step, "state", 0, flip)
    result, (x, v, _) = under(damage, gadget), gadget.values()
    in_count = place >= size - 4
    assert (damage.refused is not None) == in_count
    others = np.arange(x.size) // LANES != group
    np.testing.assert_array_equal(result[others], gadget.expected(x, v)[others])
    if in_count:
        assert damage.refused is not None and damage.refused.startswith("state: ")


@laws(40)
@given(gadgets(), gadgets())
def test_states_of_another_gadget_are_refused_or_read_within_bounds(gadget: Gadget, other: Gadget) -> None:
    """A state of another size is refused by its size. One of the same size gives words or is refused."""
    x, v, next_mask = gadget.values()
    stored = prepare(other.spec, v, ideal_material(other.spec, GROUPS, other.seed))
    foreign = replace(stored, spec=gadget.spec)
    sizes = [
        (spec.server_state_group_bytes, spec.client_state_group_bytes) for spec in (gadget.spec, other.spec)
    ]
    try:
        run: FssRun = run_online(foreign, x - v, next_mask)
    except ValueError as error:
        assert str(error).startswith("state: ")
    else:
        assert sizes[0] == sizes[1]
        assert run.share is not None and run.share.shape == x.shape


def test_the_damages_meet_every_message() -> None:
    """The laws above would say nothing if no step took the damaged argument."""
    gadget = Gadget(FssSpec("relu", 4, 15, True, 8), "exact", 0, "", 1)
    messages = [*RECEIVED.items(), *((step, "state") for step in STORED)]
    for step, argument in messages:
        damage = Damage(step, argument, 0, lambda array: array[:-1].copy())
        with ExitStack() as stack:
            stack.enter_context(damage.apply())
            gadget.run()
        assert damage.refused is not None, step
