"""The whole chain: decrypt(respond(encrypt(r))) = W r - s for every shape that the packing knows."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.crypto.he import (
    HE_PLANS,
    HeClient,
    HeServer,
    LinearPlan,
    LinearShape,
    transform_weights,
    transformed_bytes,
)
from pi_bench.crypto.he.geometry import Geometry
from pi_bench.crypto.he.layout import Layout
from pi_bench.crypto.he.parameters import DEGREE

WEIGHT_BITS = 10
BOUND = 511


@dataclass
class Case:
    plan: LinearPlan
    weights: np.ndarray
    r: np.ndarray
    s: np.ndarray


def make_case(weighted: LinearShape, seed: int, weights: str = "uniform") -> Case:
    rng = np.random.default_rng(seed)
    plan = LinearPlan.of(weighted, WEIGHT_BITS)
    shape = plan.weight_shape
    values = {
        "uniform": lambda: rng.integers(-BOUND, BOUND + 1, shape),
        "extreme": lambda: np.full(shape, BOUND),
        "signs": lambda: rng.choice([-BOUND, BOUND], shape),
        "zero": lambda: np.zeros(shape),
    }[weights]()
    r = rng.integers(0, 2**32, weighted.in_shape, dtype=np.uint32)
    s = rng.integers(0, 2**32, weighted.out_shape, dtype=np.uint32)
    return Case(plan, values.astype(np.int16), r, s)


def run(client: HeClient, server: HeServer, case: Case, threads: int = 1) -> np.ndarray:
    upload = client.encrypt(case.plan, case.r, threads)
    assert len(upload) == case.plan.upload_bytes
    response = server.respond(case.plan, case.weights, upload, case.s, threads)
    assert len(response) == case.plan.response_bytes
    return client.decrypt(case.plan, response, threads)


def draw_convolution(data: st.DataObject, convolution) -> LinearShape:
    kernel = data.draw(st.sampled_from([(1, 1), (3, 3), (5, 5), (3, 1), (2, 3)]))
    stride = data.draw(st.sampled_from([(1, 1), (2, 2), (1, 2), (3, 1)]))
    padding = tuple(data.draw(st.integers(0, 2)) for _ in range(4))
    dilation = data.draw(st.sampled_from([(1, 1), (2, 2), (1, 3)]))
    extent = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    least = [max(1, extent[axis] - sum(padding[2 * axis : 2 * axis + 2])) for axis in (0, 1)]
    size = tuple(data.draw(st.integers(least[axis], max(9, least[axis]))) for axis in (0, 1))
    batch, ins, outs = (data.draw(st.integers(1, top)) for top in (3, 20, 20))
    return convolution(batch, ins, outs, size, kernel, stride, padding, dilation)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_small_convolutions(make_parties, available_isa, convolution, convolve, data) -> None:
    weighted = draw_convolution(data, convolution)
    kind = data.draw(st.sampled_from(["uniform", "extreme", "signs", "zero"]))
    case = make_case(weighted, data.draw(st.integers(0, 2**32)), kind)
    parties = make_parties(available_isa)
    share = run(parties.client, parties.server, case)
    assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)


LARGE = {
    "cifar first": (1, 3, 64, (32, 32)),
    "cifar stride 2": (1, 16, 40, (32, 32), (3, 3), (2, 2)),
    "cifar shortcut": (1, 70, 40, (16, 16), (1, 1), (2, 2), (0, 0, 0, 0)),
    "many small channels": (1, 330, 25, (4, 4)),
    "batch of tiles": (3, 2, 3, (100, 110)),
    "batch of small images": (5, 20, 30, (8, 8)),
    "batch of 1x1": (3, 20, 30, (14, 14), (1, 1), (2, 2), (0, 0, 0, 0)),
    "tiles, stride 2": (1, 3, 4, (113, 97), (3, 3), (2, 2)),
    "tiles, 7x7": (1, 1, 2, (130, 96), (7, 7), (2, 2), (3, 3, 3, 3)),
    "one row per tile": (1, 1, 2, (5, 2600), (3, 3), (1, 1), (1, 1, 1, 1)),
    "kernel beyond the image": (1, 5, 4, (1, 1), (3, 3), (1, 1), (1, 1, 1, 1)),
    "dilated tiles": (1, 2, 3, (100, 110), (3, 3), (1, 1), (4, 4, 4, 4), (4, 4)),
    "1x1 of 7x7": (1, 150, 70, (7, 7), (1, 1), (1, 1), (0, 0, 0, 0)),
    "1x1 of 28x28": (2, 9, 11, (28, 28), (1, 1), (1, 1), (0, 0, 0, 0)),
    "1x1 in bands, stride 2": (1, 3, 4, (200, 221), (1, 1), (2, 2), (0, 0, 0, 0)),
    "rows that no window reads": (1, 3, 3, (8, 8), (3, 3), (3, 3), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", LARGE)
def test_convolutions_by_name(parties, convolution, convolve, name) -> None:
    weighted = convolution(*LARGE[name])
    case = make_case(weighted, len(name), "signs")
    share = run(parties.client, parties.server, case, threads=2)
    assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)


def test_tiles_are_used_where_the_names_say_so(convolution) -> None:
    counts = {name: LinearPlan.of(convolution(*LARGE[name]), WEIGHT_BITS).tile_count for name in LARGE}
    assert counts["cifar first"] == counts["many small channels"] == 1
    assert counts["batch of tiles"] == 5
    assert counts["one row per tile"] == 5
    assert counts["batch of small images"] == counts["batch of 1x1"] == 1


@pytest.mark.parametrize("shape", [(1, 512, 10), (3, 37, 100), (1, 9000, 3), (1, 1, 1), (1, 3, 9000)])
def test_fully_connected(parties, shape) -> None:
    batch, ins, outs = shape
    case = make_case(LinearShape("fc", (batch, ins), (batch, outs)), ins, "signs")
    expected = case.r.view(np.int32).astype(np.int64) @ case.weights.astype(np.int64).T
    assert np.array_equal(run(parties.client, parties.server, case), expected.astype(np.uint32) - case.s)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_small_convolutions_in_every_layout(make_parties, available_isa, convolution, convolve, data) -> None:
    """Covers channels side by side or not, folded strides, and one or many per answer, whatever they cost.

    Also covers one or several images of a batch in a polynomial, of which the last polynomial has fewer.
    """
    weighted = draw_convolution(data, convolution)
    layouts = list(Layout.candidates(Geometry.of(weighted)))
    joined = [layout for layout in layouts if layout.per_answer > 1]
    layout = data.draw(st.sampled_from(joined or layouts))
    case = make_case(weighted, data.draw(st.integers(0, 2**32)), "signs")
    case.plan = LinearPlan.with_layout(weighted, WEIGHT_BITS, layout)
    parties = make_parties(available_isa)
    share = run(parties.client, parties.server, case, threads=2)
    assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)


@pytest.mark.parametrize(
    ("outs", "size", "padding"),
    [(15, (2, 3), (1, 1, 0, 0)), (1000, (2, 3), (1, 1, 0, 0)), (600, (2, 2), (2, 2, 1, 1))],
)
def test_every_output_has_a_place_where_some_read_padding_alone(
    parties, convolution, convolve, outs, size, padding
) -> None:
    """Such outputs lay after their block, and after the polynomial where its blocks filled it."""
    weighted = convolution(1, 1, outs, size, (1, 1), padding=padding)
    for layout in Layout.candidates(Geometry.of(weighted)):
        plan = LinearPlan.with_layout(weighted, WEIGHT_BITS, layout)
        parts = np.split(plan.positions, plan.starts[1:-1].astype(np.int64))
        assert all(len(np.unique(part)) == len(part) and part.max() < DEGREE for part in parts)
    case = make_case(weighted, 3, "signs")
    share = run(parties.client, parties.server, case)
    assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)


@pytest.mark.parametrize("name", ["cifar stride 2", "many small channels", "batch of tiles", "1x1 of 7x7"])
def test_convolutions_of_few_bytes(parties, convolution, convolve, name) -> None:
    weighted = convolution(*LARGE[name])
    case = make_case(weighted, len(name), "signs")
    case.plan = LinearPlan.of(weighted, WEIGHT_BITS, "bytes")
    assert case.plan.layout.per_answer > 1
    share = run(parties.client, parties.server, case, threads=2)
    assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)


def test_weights_of_one_tap_are_constant_over_runs(convolution, separate_plan) -> None:
    """And take the memory of one word per run; other kernels, and maps too small to gain, do not."""
    plans = {name: separate_plan(convolution(*LARGE[name])) for name in LARGE}
    runs = {name: plan.run for name, plan in plans.items() if plan.run > 1}
    assert runs == {
        "cifar shortcut": 64,
        "1x1 of 7x7": 64,
        "1x1 of 28x28": 1024,
        "batch of 1x1": 64,
        "1x1 in bands, stride 2": plans["1x1 in bands, stride 2"].layout.block,
    }
    for name, length in runs.items():
        plan = plans[name]
        assert length & (length - 1) == 0
        assert not (plan.exponents % length).any()
        assert transformed_bytes(plan) == plan.in_poly_count * plan.out_poly_count * 3 * 8192 // length * 8


@pytest.mark.parametrize("objective", HE_PLANS)
@pytest.mark.parametrize("shape", [(1, 40, 30, (8, 8)), LARGE["1x1 of 7x7"], LARGE["1x1 of 28x28"]])
def test_prepared_weights_give_the_same(parties, convolution, convolve, shape, objective) -> None:
    weighted = convolution(*shape)
    case = make_case(weighted, 5)
    case.plan = LinearPlan.of(weighted, WEIGHT_BITS, objective)
    prepared = transform_weights(case.plan, case.weights, threads=2, isa=parties.isa)
    assert prepared.transformed.nbytes == transformed_bytes(case.plan)
    upload = parties.client.encrypt(case.plan, case.r)
    response = parties.server.respond(case.plan, prepared, upload, case.s)
    share = parties.client.decrypt(case.plan, response)
    assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)


@pytest.mark.parametrize("objective", HE_PLANS)
def test_runs_of_tiles_give_the_same(parties, convolution, convolve, monkeypatch, objective) -> None:
    """A memory limit of one tile at a time."""
    monkeypatch.setattr("pi_bench.crypto.he.server._LOADED_LIMIT_BYTES", 1)
    weighted = convolution(3, 2, 3, (100, 110))
    case = make_case(weighted, 6)
    case.plan = LinearPlan.of(weighted, WEIGHT_BITS, objective)
    assert case.plan.tile_count >= 4
    share = run(parties.client, parties.server, case)
    assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)


def test_views_of_larger_arrays_are_taken(parties) -> None:
    """Transposed weights and strided masks: the caller's memory order does not matter."""
    case = make_case(LinearShape("fc", (2, 6), (2, 5)), 8)
    wide = np.zeros((2, 10), np.uint32)
    wide[:, ::2] = case.s
    upload = parties.client.encrypt(case.plan, np.asfortranarray(case.r))
    response = parties.server.respond(case.plan, np.asfortranarray(case.weights), upload, wide[:, ::2])
    expected = case.r.view(np.int32).astype(np.int64) @ case.weights.astype(np.int64).T
    assert np.array_equal(parties.client.decrypt(case.plan, response), expected.astype(np.uint32) - case.s)


def test_a_key_answers_across_instruction_sets(make_parties, available_isas, convolution, convolve) -> None:
    weighted = convolution(1, 9, 9, (8, 8))
    case = make_case(weighted, 9)
    for client_isa in available_isas:
        for server_isa in available_isas:
            client = make_parties(client_isa).client
            share = run(client, HeServer(client.public_key, isa=server_isa), case)
            assert np.array_equal(share, convolve(weighted, case.weights, case.r) - case.s)
