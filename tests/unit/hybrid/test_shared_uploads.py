"""Terms that read the same value: one upload for both, where that costs less, and the same products."""

from __future__ import annotations

import dataclasses
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pi_bench.crypto.he import HE_PLANS, HeClient, HeServer, LinearShape, parameters
from pi_bench.hybrid import shared_uploads
from pi_bench.hybrid.kernel_taps import dense_kernel, taps_within
from pi_bench.hybrid.products import ProductJob
from pi_bench.hybrid.shared_uploads import program_products
from pi_bench.network.execution.reference import linear_reference
from pi_bench.network.program import (
    ChannelSlice,
    Convolution,
    FullyConnected,
    InputOp,
    LinearOp,
    LinearTerm,
    LocalOp,
    OutputOp,
    Program,
    Subsample,
    Weighted,
)


def program_of(*readers: Weighted, local: tuple[LocalOp, ...] = ()) -> Program:
    """A linear value for each reader of the input. `local` is that of the last one."""
    count = len(readers)
    ops: list[InputOp | LinearOp | OutputOp] = [InputOp(0, "input", readers[0].in_shape, 4, bound=4.0)]
    for number, weighted in enumerate(readers, 1):
        shifts = np.zeros(weighted.out_shape[1], np.uint8)
        own = local if number == count else ()
        ops.append(
            LinearOp(
                number,
                f"op{number}",
                weighted.out_shape,
                4,
                (LinearTerm(0, own, weighted, 1, shifts),),
                None,
                0,
            )
        )
    ops.append(OutputOp(count + 1, "output", readers[-1].out_shape, count, 4))
    return Program("readers", tuple(ops), 6, ())


def conv(name: str, outs: int, kernel: int, stride: int = 2, pad: int = 0, groups: int = 1) -> Convolution:
    size = (8 + 2 * pad - kernel) // stride + 1
    shape, out = (1, 4, 8, 8), (1, outs, size, size)
    return Convolution(name, shape, out, (kernel, kernel), (stride, stride), (pad,) * 4, groups=groups)


BLOCK = conv("a", 6, kernel=3, pad=1), conv("b", 5, kernel=1)
AFTER_SUBSAMPLE = Convolution("b", (1, 4, 4, 4), (1, 5, 4, 4), (1, 1), (1, 1), (0, 0, 0, 0))
SHARED: dict[str, tuple[Weighted, ...]] = {
    "a block and its shortcut": BLOCK,
    "a shortcut before its block": BLOCK[::-1],
    "a shortcut after a local operator": (BLOCK[0], AFTER_SUBSAMPLE),
    "a shortcut at odd places": (BLOCK[0], AFTER_SUBSAMPLE),
    "two heads": (FullyConnected("a", (2, 40), (2, 7)), FullyConnected("b", (2, 40), (2, 3))),
    "three readers": (*BLOCK, conv("c", 3, kernel=5, pad=2)),
}


@pytest.fixture(scope="module")
def parties():
    with HeClient() as client:
        yield client, HeServer(client.public_key)


@pytest.mark.parametrize("objective", HE_PLANS)
@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("case", SHARED)
def test_every_value_of_a_shared_upload_is_exact(case, ahead, objective, parties) -> None:
    program = program_of(*SHARED[case], local=SUBSAMPLED.get(case, ()))
    (job,) = program_products(program, objective, ahead)
    client, server = parties
    rng = np.random.default_rng(3)
    weights = {
        reader.weight: rng.integers(-31, 32, reader.weight_shape).astype(np.int16) for reader in SHARED[case]
    }
    masks = [rng.integers(0, 2**32, program.input.shape, dtype=np.uint32) for _ in range(ahead)]
    blind = rng.integers(0, 2**32, job.plan.out_shape, dtype=np.uint32)
    upload = client.encrypt(job.plan, job.operand(masks))
    response = server.respond(job.plan, job.dense_weights(weights), upload, blind)
    totals = [{op.id: np.zeros(op.shape, np.uint32) for op in program.linear_ops} for _ in masks]
    for share in (client.decrypt(job.plan, response), blind):
        job.add(share, totals)
    for total, r in zip(totals, masks, strict=True):
        for op in program.linear_ops:
            np.testing.assert_array_equal(total[op.id], linear_reference(op, {0: r}, weights), op.name)


EVEN, ODD = (Subsample(stride=(2, 2), offset=(first, first), size=(4, 4)) for first in (0, 1))
SUBSAMPLED: dict[str, tuple[LocalOp, ...]] = {
    "a shortcut after a local operator": (EVEN,),
    "a shortcut at odd places": (ODD,),
}
APART: dict[str, tuple[tuple[Weighted, ...], tuple[LocalOp, ...]]] = {
    "another stride": ((conv("a", 6, kernel=3, stride=2, pad=1), conv("b", 5, kernel=1, stride=1)), ()),
    "no common taps": (
        (conv("a", 6, kernel=2), dataclasses.replace(conv("b", 5, kernel=2), padding=(1, 0, 1, 0))),
        (),
    ),
    "groups": ((BLOCK[0], conv("b", 4, kernel=1, groups=4)), ()),
    "places outside of the map": (
        (BLOCK[0], AFTER_SUBSAMPLE),
        (Subsample(stride=(2, 2), offset=(2, 2), size=(4, 4)),),
    ),
    "other elements": ((BLOCK[0], BLOCK[1]), (ChannelSlice(0, 4),)),
}


@pytest.mark.parametrize("case", APART)
def test_other_readers_have_uploads_of_their_own(case) -> None:
    readers, local = APART[case]
    jobs = program_products(program_of(*readers, local=local), "bytes")
    assert [len(job.parts) for job in jobs] == [1] * len(jobs)
    assert len({job.op_id for job in jobs}) == 2


@pytest.mark.parametrize("objective", HE_PLANS)
def test_an_upload_is_shared_only_where_that_is_fewer_bytes(objective) -> None:
    """In a large layer, a shortcut, which reads a quarter of the elements, has a cheaper layout alone."""
    outcomes = set()
    for channels, size in ((4, 8), (8, 8), (64, 32), (512, 8)):
        shape, out = (1, channels, size, size), (1, 2 * channels, size // 2, size // 2)
        block = Convolution("a", shape, out, (3, 3), (2, 2), (1, 1, 1, 1))
        shortcut = Convolution("b", shape, out, (1, 1), (2, 2), (0, 0, 0, 0))
        both = program_products(program_of(block, shortcut), objective)
        apart = [job for one in (block, shortcut) for job in program_products(program_of(one), objective)]
        assert wire_bytes(both) <= wire_bytes(apart)
        assert price_ns(both, objective) <= price_ns(apart, objective)
        assert (len(both) == 1) == (wire_bytes(both) < wire_bytes(apart))
        outcomes.add(len(both))
    assert outcomes == {1, 2}


def wire_bytes(jobs: list[ProductJob]) -> int:
    return sum(job.plan.upload_bytes + job.plan.response_bytes for job in jobs)


def price_ns(jobs: list[ProductJob], objective: str) -> int:
    return sum(job.plan.layout.cost(job.plan.geometry, objective)[0] for job in jobs)


def test_jobs_are_numbered_after_sharing() -> None:
    program = program_of(*BLOCK, conv("c", 3, kernel=1, stride=1))
    jobs = program_products(program, "bytes")
    assert [job.number for job in jobs] == [0, 1]
    assert [[part.op_id for part in job.parts] for job in jobs] == [[1, 2], [3]]


def chained(program: Program) -> Program:
    """The same readers, each of the value before it."""
    ops = [
        dataclasses.replace(op, terms=(dataclasses.replace(op.terms[0], source=op.id - 1),))
        if isinstance(op, LinearOp)
        else op
        for op in program.ops
    ]
    return dataclasses.replace(program, ops=tuple(ops))


SAME, GROUPED = conv("a", 4, kernel=1, stride=1), conv("a", 4, kernel=1, stride=1, groups=2)
WITHOUT_TAPS = [conv("a", 4, kernel=1, stride=1), conv("b", 4, kernel=3, stride=2, pad=1)]


@pytest.mark.parametrize(
    ("program", "most"),
    [
        pytest.param(chained(program_of(*[SAME] * 60)), 0, id="other sources"),
        pytest.param(program_of(*[GROUPED] * 60), 0, id="groups"),
        pytest.param(program_of(*WITHOUT_TAPS * 30), 60 * 8, id="one source"),
    ],
)
def test_planning_tries_few_pairs(program: Program, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the peer cannot make the number of tries grow with the square of its terms."""
    tries = 0

    def counted(*args):
        nonlocal tries
        tries += 1

    monkeypatch.setattr(shared_uploads, "_shared", counted)
    assert len(program_products(program, "compute")) >= 60
    assert tries <= most


def test_a_product_has_at_most_eight_parts() -> None:
    heads = [FullyConnected(f"head{n}", (2, 40), (2, 3)) for n in range(20)]
    jobs = program_products(program_of(*heads), "compute")
    assert [len(job.parts) for job in jobs] == [8, 8, 4]
    assert [part.op_id for job in jobs for part in job.parts] == list(range(1, 21))


SMALL = st.integers(1, 3)


@pytest.mark.slow
@settings(max_examples=40)
@given(*[st.tuples(SMALL, SMALL)] * 2, st.tuples(SMALL, SMALL), *[st.tuples(SMALL, SMALL)] * 2)
def test_a_kernel_within_another_computes_the_same(inner, outer, stride, dilation, offset) -> None:
    """For every kernel whose taps are found within a larger one, in any stride, dilation and padding."""
    (kernel, larger) = inner, tuple(a + b for a, b in zip(inner, outer, strict=True))
    height = width = 12
    pads = {"inner": (0, 0), "outer": offset}

    def shape_of(kernel, pad, step) -> LinearShape:
        out = tuple(
            (height + 2 * before - (taps - 1) * apart - 1) // by + 1
            for before, taps, apart, by in zip(pad, kernel, step, stride, strict=True)
        )
        padding = (pad[0], pad[0], pad[1], pad[1])
        return LinearShape("w", (1, 2, height, width), (1, 3, *out), kernel, stride, padding, step)

    small, large = shape_of(kernel, pads["inner"], dilation), shape_of(larger, pads["outer"], (1, 1))
    rows = min(small.out_shape[2], large.out_shape[2]), min(small.out_shape[3], large.out_shape[3])
    small, large = (
        LinearShape("w", one.in_shape, (1, 3, *rows), one.kernel, one.stride, one.padding, one.dilation)
        for one in (small, large)
    )
    taps = taps_within(small, large)
    assume(taps is not None)
    rng = np.random.default_rng(0)
    weights = rng.integers(-9, 9, small.weight_shape).astype(np.int16)
    r = rng.integers(-9, 9, small.in_shape)
    assert taps is not None
    dense = dense_kernel(weights, taps, large.kernel)
    np.testing.assert_array_equal(direct(small, weights, r), direct(large, dense, r))


def direct(shape: LinearShape, weights: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The convolution by its definition."""
    out = np.zeros(shape.out_shape, np.int64)
    for i, j in np.ndindex(*shape.out_shape[2:]):
        for k, l in np.ndindex(*shape.kernel):  # noqa: E741
            y = i * shape.stride[0] - shape.padding[0] + k * shape.dilation[0]
            x = j * shape.stride[1] - shape.padding[2] + l * shape.dilation[1]
            if 0 <= y < shape.in_shape[2] and 0 <= x < shape.in_shape[3]:
                out[0, :, i, j] += weights[:, :, k, l].astype(np.int64) @ image[0, :, y, x]
    return out


def resnet18_products(objective: str, weight_bits: int, ahead: int) -> list[ProductJob]:
    """The products of a CIFAR ResNet18. The blocks that change the size have a shortcut of their own."""

    def layer(ins: int, outs: int, size: int, kernel: int = 3, stride: int = 1) -> Convolution:
        name, pad = f"{ins}-{outs}-{size}-{kernel}", kernel // 2
        shape, out = (1, ins, size, size), (1, outs, size // stride, size // stride)
        return Convolution(name, shape, out, (kernel, kernel), (stride, stride), (pad,) * 4)

    readers: list[tuple[Weighted, ...]] = [(layer(3, 64, 32),), *[(layer(64, 64, 32),)] * 4]
    for outs, size in ((128, 32), (256, 16), (512, 8)):
        ins = outs // 2
        readers.append((layer(ins, outs, size, stride=2), layer(ins, outs, size, kernel=1, stride=2)))
        readers += [(layer(outs, outs, size // 2),)] * 3
    readers.append((FullyConnected("dense", (1, 512), (1, 10)),))
    programs = [dataclasses.replace(program_of(*own), weight_bits=weight_bits) for own in readers]
    return [job for program in programs for job in program_products(program, objective, ahead)]


@pytest.mark.slow
def test_the_statistical_distance_of_the_threat_model_with_shared_uploads() -> None:
    """Logarithms for all released coefficients per inference of a ResNet18, and the largest noise."""

    def distances(objective: str, bits: int, ahead: int = 1, noise=parameters.expected_noise) -> float:
        plans = [job.plan for job in resnet18_products(objective, bits, ahead)]
        total = sum(noise(plan.weight_bound) * plan.released_count for plan in plans)
        return math.log2(total / ahead) - parameters.FLOOD_BITS - 1

    found = {
        (objective, bits, ahead): distances(objective, bits, ahead)
        for objective in HE_PLANS
        for bits, ahead in ((10, 1), (10, 16), (16, 1), (16, 16))
    }
    worst = {
        (objective, ahead): distances(objective, 10, ahead, noise=parameters.noise_before_flood)
        for objective in HE_PLANS
        for ahead in (1, 2, 3, 16)
    }
    near = partial(pytest.approx, abs=0.006)
    assert found == near({
        ("compute", 10, 1): -68.13, ("compute", 10, 16): -69.21, ("compute", 16, 1): -62.14,
        ("compute", 16, 16): -63.23, ("bytes", 16, 16): -64.64,
        ("bytes", 10, 1): -70.00, ("bytes", 10, 16): -70.59, ("bytes", 16, 1): -64.03,
    })  # fmt: skip
    assert worst == near({
        ("compute", 1): -54.92, ("compute", 2): -52.52, ("compute", 3): -52.49, ("compute", 16): -55.92,
        ("bytes", 1): -51.14, ("bytes", 2): -51.54, ("bytes", 3): -52.12, ("bytes", 16): -52.25,
    })  # fmt: skip
