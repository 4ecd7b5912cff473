"""The gadgets against their laws (docs/threat-model.md), with ideal OTs, on every path.

The oracles here are written from the laws alone: windowed results are compared bit for bit, given the
evaluator's share; exact ReLUs for every value of the ring.
"""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.crypto.gadget_spec import GARBLINGS, GadgetSpec

GROUPS = 8
COUNT = 32 * GROUPS


def signed_window(x: np.ndarray, top_bit: int) -> np.ndarray:
    """x mod 2^(top_bit + 1), read as a signed number."""
    low = x & ((1 << (top_bit + 1)) - 1)
    return np.where(low >> top_bit, low - (1 << (top_bit + 1)), low)


def relu_law(x: np.ndarray, v: np.ndarray, spec: GadgetSpec) -> tuple[np.ndarray, np.ndarray]:
    """The result for int64 x and the evaluator's share, and where the law holds at all."""
    f, low = spec.truncate_bits, (1 << spec.truncate_bits) - 1
    value = signed_window(x + spec.offset, spec.window_bits)
    if spec.exact:
        return np.where(value >= 0, value >> f, 0), np.ones(x.shape, bool)
    quotient = (value >> f) - ((value & low) < (v & low))
    cut = f + spec.sign_drop
    seen = (value >> cut) - ((value & (1 << cut) - 1) < (v & (1 << cut) - 1))
    return np.where(seen >= 0, quotient, 0), value >= -(1 << spec.window_bits) + (1 << cut)


def truncate_law(x: np.ndarray, v: np.ndarray, spec: GadgetSpec) -> tuple[np.ndarray, np.ndarray]:
    f, low = spec.truncate_bits, (1 << spec.truncate_bits) - 1
    value = x + spec.offset
    carry = 0 if spec.exact else ((value & low) < (v & low)).astype(np.int64)
    return (value >> f) - carry, (value >= -(1 << 30)) & (value < 1 << 30)


def edges(spec: GadgetSpec) -> list[int]:
    f, top, off = spec.truncate_bits, spec.window_bits, spec.offset
    if spec.kind == "truncate":
        top = 30
    near = [
        0,
        1 << f,
        2 << f,
        1 << (f + 3),
        (1 << top) - off,
        -(1 << top) + (1 << f) - off,
        -off,
        (1 << f) - off,
    ]
    return [sign * value + step for value in near for step in (-1, 0, 1) for sign in (1, -1)]


def shares_of(spec: GadgetSpec, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x as int64, u and v: edges with several shares, values in and out of the window."""
    top = spec.window_bits if spec.kind == "relu" else 30
    x = np.concatenate(
        [
            np.repeat(np.array(edges(spec), np.int64), 2),
            rng.integers(-(1 << top), 1 << top, COUNT // 4),
            rng.integers(-(4 << spec.truncate_bits), 4 << spec.truncate_bits, COUNT // 4),
            rng.integers(-(1 << 31), 1 << 31, COUNT),
        ]
    )[:COUNT]
    v = rng.integers(0, 2**32, COUNT, np.uint32)
    special = [0, 2**32 - 1, 1 << 31, (1 << 31) - 1, 1 << top, (1 << spec.truncate_bits) - 1]
    v[: 8 * len(special)] = np.tile(np.array(special, np.uint32), 8)
    x = signed_window(x, 31)
    return x, (x - v).astype(np.uint32), v


def spec_of(
    kind: str, f: int, top: int, exact: bool, offset: int | None = None, label_chunk: int = 1
) -> GadgetSpec:
    if offset is None:
        offset = ((1 << f) >> 1) if exact else (1 << f) - 1
    return GadgetSpec(kind, f, top, exact, offset, label_chunk)


CASES = [
    spec_of("relu", f, top, exact, offset)
    for f, top in [(12, 23), (12, 31), (1, 31), (0, 31), (0, 12), (5, 6), (7, 7), (20, 30), (31, 31)]
    for exact in (False, True)
    for offset in (None, 0)
] + [
    spec_of("truncate", f, 31, exact, offset)
    for f in (0, 1, 7, 12, 22, 30)
    for exact in (False, True)
    for offset in (None, 0)
]
# Chunks that divide the gates, leave one bit alone (a plain label) or leave a narrower chunk; none.
CHUNKED = [
    spec_of(kind, f, top, exact, None, chunk)
    for kind, f, top, exact in [
        ("relu", 12, 23, False),
        ("relu", 12, 25, True),
        ("relu", 0, 31, False),
        ("relu", 11, 13, False),
        ("relu", 11, 12, False),
        ("relu", 7, 7, False),
        ("truncate", 12, 31, True),
        ("truncate", 13, 31, True),
        ("truncate", 9, 31, False),
    ]
    for chunk in (2, 3, 4)
]


# The sign without its low bits, down to one bit of it.
DROPPED = [
    GadgetSpec("relu", f, top, False, offset, chunk, drop)
    for f, top, drop in [(12, 23, 4), (12, 23, 10), (12, 23, 11), (0, 31, 3), (5, 9, 1), (3, 30, 20)]
    for offset in ((1 << f) - 1, 0)
    for chunk in (1, 3)
]


# All three lists in part: the adder is the same, and each length of it occurs.
THREE_HALVES = [replace(spec, garbling="three-halves") for spec in CASES[::2] + CHUNKED[::4] + DROPPED[::5]]


@pytest.mark.parametrize("spec", CASES + CHUNKED + DROPPED + THREE_HALVES, ids=str)
def test_law(run_gadget, isa, spec) -> None:
    x, u, v = shares_of(spec, np.random.default_rng(zlib.crc32(str(spec).encode())))
    run = run_gadget(spec, u, v, isa=isa)
    law = relu_law if spec.kind == "relu" else truncate_law
    expected, holds = law(x, v.astype(np.int64), spec)
    assert np.count_nonzero(holds) > COUNT // 8
    np.testing.assert_array_equal(run.y[holds], expected[holds])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_law_for_any_window(run_gadget, data) -> None:
    kind = data.draw(st.sampled_from(["relu", "truncate"]))
    top = data.draw(st.integers(0, 31)) if kind == "relu" else 31
    f = data.draw(st.integers(0, min(top, 31 if kind == "relu" else 30)))
    offset = data.draw(st.integers(0, (1 << f) - 1))
    exact = data.draw(st.booleans())
    most = 0 if exact or kind == "truncate" else top - f
    spec = GadgetSpec(
        kind,
        f,
        top,
        exact,
        offset,
        data.draw(st.integers(1, 4)),
        data.draw(st.integers(0, most)),
        data.draw(st.sampled_from(GARBLINGS)),
    )
    x, u, v = shares_of(spec, np.random.default_rng(data.draw(st.integers(0, 2**32))))
    law = relu_law if kind == "relu" else truncate_law
    expected, holds = law(x, v.astype(np.int64), spec)
    run = run_gadget(spec, u, v, isa="", seed=f)
    np.testing.assert_array_equal(run.y[holds], expected[holds])


def test_windowed_is_within_one_unit_and_really_windowed(run_gadget, isa) -> None:
    """Against the real quotient: error below one unit, and both errors occur."""
    spec = spec_of("relu", 12, 23, False)
    rng = np.random.default_rng(1)
    x = rng.integers(0, (1 << 23) - spec.offset, COUNT)
    v = rng.integers(0, 2**32, COUNT, np.uint32)
    error = run_gadget(spec, (x - v).astype(np.uint32), v, isa=isa).y - x / 2**12
    assert np.all(np.abs(error) < 1)
    assert error.min() < -0.5 and error.max() > 0.5


@pytest.mark.parametrize("kind", ["relu", "truncate"])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("chunk", [1, 3, 4])
@pytest.mark.parametrize("garbling", GARBLINGS)
def test_slices_threads_and_paths_give_the_same_bytes(run_gadget, kind, exact, chunk, garbling) -> None:
    spec = replace(spec_of(kind, 6, 12, exact, None, chunk), garbling=garbling)
    # 1300 groups are enough for every step to use both threads, 190 for the steps that hash all gates.
    groups = 1300 if spec.garbled_group_bytes < 27_000 else 190
    rng = np.random.default_rng(2)
    u, v = rng.integers(0, 2**32, (2, 32 * groups), np.uint32)
    whole = run_gadget(spec, u, v, isa="aesni")
    others = [
        run_gadget(spec, u, v, isa="aesni", slices=[1, 16, 83, groups - 100]),
        run_gadget(spec, u, v, isa="aesni", threads=2),
        run_gadget(spec, u, v, isa=""),
    ]
    for other in others:
        for name in ("garbled_sent", "garbled", "state", "message", "out_mask", "z"):
            assert np.array_equal(getattr(other, name), getattr(whole, name)), name
