"""The FSS gadgets against the law of the garbled ones (pi_bench.arithmetic.law), on real correlated OTs."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.arithmetic import law
from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.ot_extension import random_delta
from pi_bench.crypto.randomness import padded_words, random_words
from tests.fss_parties import LANES, Extensions, ideal_material, prepare, restored, run_online


def relu(f: int, top: int, mode: str = "windowed", sign_drop: int = 0) -> tuple[FssSpec, str, int]:
    """A gadget, its mode and the mode's option."""
    drop = law.dropped_sign_bits(mode, f, top, sign_drop)
    return FssSpec("relu", f, top, mode == "exact", law.offset(mode, f), drop), mode, sign_drop


def truncate(f: int) -> tuple[FssSpec, str, int]:
    return FssSpec("truncate", f, 31, True, law.offset("exact", f)), "exact", 0


def expected(case: tuple[FssSpec, str, int], x: np.ndarray, v: np.ndarray) -> np.ndarray:
    spec, mode, sign_drop = case
    if spec.kind == "truncate":
        return law.truncate_law(x, v, spec.truncate_bits, mode)
    return law.relu_law(x, v, spec.truncate_bits, spec.window_bits, mode, sign_drop)


def run_on(case: tuple[FssSpec, str, int], x: np.ndarray, v: np.ndarray, isa: str = "") -> np.ndarray:
    """The result, revealed, for uint32 x and v of whole groups."""
    spec, next_mask = case[0], random_words(v.shape)
    run = prepare(spec, v, Extensions().material(spec, v.size // LANES), isa=isa)
    return run_online(run, x - v, next_mask, isa=isa).share + next_mask


SMALL = {
    "windowed": relu(2, 6),
    "no truncation": relu(0, 6),
    "truncated sign": relu(1, 7, "truncated-sign", 3),
    "a sign alone": relu(5, 5),
    "exact": relu(3, 6, "exact"),
    "exact, no truncation": relu(0, 6, "exact"),
    "exact, a sign alone": relu(5, 5, "exact"),
    "tree of one level": (FssSpec("relu", 0, 8, False, 0), "exact", 0),  # nothing to truncate: exact
    "exact, tree of one level": relu(1, 8, "exact"),
}


@pytest.mark.parametrize("name", SMALL)
def test_law_for_every_value_and_share_of_a_small_window(name: str) -> None:
    """All pairs of the bits that can matter; the bits above them are random."""
    case = SMALL[name]
    bits = case[0].window_bits + 1
    low = np.arange(2 ** (2 * bits), dtype=np.uint32)
    high = random_words((2, low.size)) << bits
    x, v = low >> bits | high[0], low & (1 << bits) - 1 | high[1]
    np.testing.assert_array_equal(run_on(case, x, v), expected(case, x, v))


LARGE = {
    "default": relu(12, 23),
    "two digits": relu(12, 28),
    "two digits, no truncation": relu(0, 15),
    "whole ring": relu(0, 31, "truncated-sign", 16),
    "truncated sign": relu(12, 23, "truncated-sign", 5),
    "top of the ring": relu(20, 31),
    "exact": relu(12, 23, "exact"),
    "exact, widest": relu(15, 29, "exact"),
    "truncation by 1": truncate(1),
    "truncation by 7": truncate(7),
    "truncation by 12": truncate(12),
    "truncation by 15": truncate(15),
}


@pytest.mark.parametrize("name", LARGE)
def test_law_for_random_values_of_the_ring(isa: str, name: str) -> None:
    case = LARGE[name]
    spec, rng, count = case[0], np.random.default_rng(), 32 * 16
    x = rng.integers(0, 2**32, count, np.uint32)
    near = rng.integers(-(4 << spec.truncate_bits), 4 << spec.truncate_bits, count // 2)
    x[::2] = near.astype(np.int32).view(np.uint32)
    if spec.kind == "truncate":
        x = (x.view(np.int32) >> 2).view(np.uint32)
    v = rng.integers(0, 2**32, count, np.uint32)
    np.testing.assert_array_equal(run_on(case, x, v, isa), expected(case, x, v))


def every_shape() -> list[tuple[FssSpec, str, int]]:
    """Windows of 1 to 16 bits, and exact gadgets whose two tables have 1 to 15 bits each."""
    windows = [relu(4, 4 + bits) for bits in range(16)]
    exact = [relu(f, f + (4 * f) % 15, "exact") for f in range(1, 16)]
    return windows + exact + [truncate(f) for f in range(1, 16)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", every_shape(), ids=str)
def test_law_for_every_shape_of_table(isa: str, case: tuple[FssSpec, str, int]) -> None:
    spec, count = case[0], 64
    top = spec.window_bits if spec.kind == "relu" else 29
    x = np.random.default_rng().integers(-(1 << top), 1 << top, count).astype(np.int32).view(np.uint32)
    v = random_words((count,))
    np.testing.assert_array_equal(run_on(case, x, v, isa), expected(case, x, v))


@pytest.mark.parametrize("name", ["default", "exact", "truncation by 12"])
def test_elements_that_fill_no_group(name: str) -> None:
    """33 elements: lanes without an element hold random words, and the server gets z of the 33 alone."""
    case, count = LARGE[name], 33
    spec, padded = case[0], 64
    x = np.random.default_rng(1).integers(-(1 << 20), 1 << 20, count).astype(np.int32).view(np.uint32)
    v = padded_words(random_words((count,)), padded)
    next_mask = random_words((padded,))
    run = prepare(spec, v, Extensions().material(spec, 2))
    run_online(run, padded_words(x - v[:count], padded), next_mask)
    share = np.empty(padded, np.uint32)
    z = padded_words(run.z[:count], padded)
    fss.finish(spec, fss.FinishArguments(run.kept, z, run.answer, share))
    result = (share + next_mask)[:count]
    np.testing.assert_array_equal(result, expected(case, x, v[:count]))


@pytest.mark.parametrize(
    ("bits", "step"),
    [(6, 1), pytest.param(11, 1, marks=pytest.mark.slow), pytest.param(16, 16, marks=pytest.mark.slow)],
)
def test_both_shares_of_a_table_add_up_at_every_index(bits: int, step: int) -> None:
    """T_S xor T_C = [w xor m > c], for 32 elements with masks of their own and every u of the window.

    A state serves once, so each message is made of a copy. The bits that hide each share are taken off.
    """
    spec, n = FssSpec("relu", 4, 3 + bits, False, 15, 0), bits - 1
    v = random_words((LANES,))
    prepared = prepare(spec, v, ideal_material(spec, 1, seed=bits))
    lanes = np.arange(LANES, dtype=np.uint32)
    choices = prepared.material.choices[:, None] >> lanes & 1  # m, its top bit, pi
    mask = (choices[:n] << np.arange(n, dtype=np.uint32)[:, None]).sum(axis=0)
    limit = ~(v >> 4) & (1 << n) - 1
    for window in range(0, 1 << bits, step):
        u = np.full(LANES, (window << 4) - 15 & 2**32 - 1, np.uint32)
        run = run_online(restored(prepared), u, np.zeros(LANES, np.uint32))
        planes = run.message[128:].view(np.uint32)[:, None] >> lanes & 1
        index = (planes[:n] << np.arange(n, dtype=np.uint32)[:, None]).sum(axis=0)
        of_server = planes[bits] ^ 1 ^ (window >> n) ^ choices[n + 1]
        sign = (run.answer >> lanes ^ run.material.client_bits >> lanes) & 1
        of_client = sign ^ (v >> 3 + bits & 1) ^ planes[bits]
        assert np.array_equal(of_server ^ of_client, (index ^ mask) > limit)


@pytest.mark.slow
def test_slices_threads_and_paths_give_the_same_bytes(isa: str) -> None:
    for name in ("default", "exact", "truncation by 12"):
        spec, groups = LARGE[name][0], 700  # enough for every step to use both threads
        v, u, next_mask = np.random.default_rng(5).integers(0, 2**32, (3, groups * LANES), np.uint32)
        material = ideal_material(spec, groups)
        zero, active = {}, {}
        for receiver, packed, count in (
            ("server", material.choices, spec.choice_ots),
            ("client", fss.request_choices(spec, v, material.client_bits), spec.request_ots),
        ):
            zero[receiver], active[receiver] = material.cots(receiver, packed, count)
        material.cots = lambda receiver, *_, z=zero, a=active: (z[receiver], a[receiver])
        whole = everything(spec, material, v, u, next_mask, FssCall(spec, 9, 0, 1, ""))
        threaded = everything(spec, material, v, u, next_mask, FssCall(spec, 9, 0, 2, isa))
        assert all(np.array_equal(whole[name], threaded[name]) for name in whole)


def everything(spec, material, v, u, next_mask, call: FssCall) -> dict[object, np.ndarray]:
    """All messages and states."""
    run = run_online(prepare(spec, v, material, call=call), u, next_mask, call=call)
    fields = ("corrections", "opening", "server_state", "client_state", "message", "kept", "z", "answer")
    return run.bundles | {name: getattr(run, name) for name in fields}


def test_lowest_bits_of_both_deltas_in_many_sessions() -> None:
    """In every session the sum of both deltas is odd; a random bit would fail in half of them."""
    for _ in range(64):
        with random_delta(label=True) as odd, random_delta(label=False, even=True) as even:
            assert (int(odd.array[0]) & 1, int(even.array[0]) & 1) == (1, 0)
    with pytest.raises(ValueError, match="one of"):
        random_delta(label=True, even=True)
