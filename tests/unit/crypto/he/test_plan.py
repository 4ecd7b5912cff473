"""Plans: sizes from public shapes alone, refusals, and the wiping of packed masks."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import pytest

from pi_bench.crypto.he import HE_PLANS, LinearPlan, LinearShape, parameters
from pi_bench.crypto.he.geometry import Geometry
from pi_bench.crypto.he.layout import Layout, prices_hash
from pi_bench.errors import ModelError


def test_without_joined_answers_the_fewest_bytes(convolution, separate_plan) -> None:
    """64 channels of 32 x 32 with shared padding are 33 x 33 coefficients each: seven a polynomial."""
    plan = separate_plan(convolution(1, 64, 64, (32, 32)))
    assert (plan.layout.in_block, plan.layout.out_block) == (7, 1)
    assert (plan.in_poly_count, plan.out_poly_count, plan.product_count) == (10, 64, 640)
    assert plan.upload_bytes == 10 * (16 + 153_600)
    assert plan.response_bytes == 64 * (51_200 + 6_400)


def test_shared_padding_saves_products(convolution) -> None:
    plan = LinearPlan.of(convolution(1, 512, 512, (4, 4)), 10)
    assert plan.layout.block == 25  # 5 x 5, not 6 x 6
    assert plan.product_count < 512 * 512 * 36 / 8192


def wire_bytes(shape: LinearShape, objective: str) -> int:
    plan = LinearPlan.of(shape, 10, objective)
    return plan.upload_bytes + plan.response_bytes


@pytest.mark.parametrize(("channels", "size"), [(64, 32), (512, 4)])
def test_joined_answers_save_bytes(convolution, separate_plan, channels, size) -> None:
    shape = convolution(1, channels, channels, (size, size))
    separate = separate_plan(shape)
    assert 1.7 * wire_bytes(shape, "bytes") < separate.upload_bytes + separate.response_bytes
    assert wire_bytes(shape, "bytes") <= wire_bytes(shape, "compute")


@pytest.mark.parametrize("objective", HE_PLANS)
@pytest.mark.parametrize(
    ("ins", "outs", "size", "stride"), [(32, 32, 16, 1), (64, 128, 8, 2), (256, 256, 2, 1)]
)
def test_images_of_a_batch_share_polynomials(convolution, ins, outs, size, stride, objective) -> None:
    """And cost less than images alone, of which all use the same transforms of the weights."""
    shape = convolution(16, ins, outs, (size, size), (3, 3), (stride, stride))
    geometry = Geometry.of(shape)
    layouts = [layout for layout in Layout.candidates(geometry) if layout.images == 1]
    alone = min(layouts, key=lambda layout: layout.cost(geometry, objective))
    together = LinearPlan.of(shape, 10, objective).layout
    assert together.images > 1
    assert together.cost(geometry, objective)[0] < 0.75 * alone.cost(geometry, objective)[0]
    if objective == "bytes":
        assert together.wire_bytes(geometry) <= 0.75 * alone.wire_bytes(geometry)


def test_images_that_share_polynomials_add_nothing_to_the_noise(convolution) -> None:
    """A coefficient of an output polynomial sums the weights of its output channels, however many images
    stand there. So the bound is that of one image with as many channels per polynomial."""
    shape = convolution(4, 12, 10, (6, 6))
    geometry = Geometry.of(shape)
    shared = [layout for layout in Layout.candidates(geometry) if layout.images > 1]
    assert {layout.images for layout in shared} == {2, 4}
    for layout in shared:
        plan = LinearPlan.with_layout(shape, 10, layout)
        alone = LinearPlan.with_layout(convolution(1, 12, 10, (6, 6)), 10, replace(layout, images=1))
        assert plan.weight_bound == alone.weight_bound
        weights = layout.out_block * layout.in_block * 9
        assert plan.exponents.size == weights and plan.weight_bound.count >= weights


def test_each_objective_is_the_cheapest_by_its_own_prices(convolution) -> None:
    shape = convolution(1, 128, 128, (16, 16))
    geometry = Geometry.of(shape)
    layouts = [LinearPlan.of(shape, 10, objective).layout for objective in HE_PLANS]
    assert layouts[0] != layouts[1]
    for own, other, objective in ((0, 1, "compute"), (1, 0, "bytes")):
        assert layouts[own].cost(geometry, objective) < layouts[other].cost(geometry, objective)


def test_joined_outputs_lie_at_multiples_of_the_number_that_is_joined(convolution) -> None:
    plan = LinearPlan.of(convolution(1, 64, 96, (8, 8)), 10, "bytes")
    each = plan.layout.per_answer
    assert each > 1 and not (plan.positions % each).any()
    for begin, end in itertools.pairwise(plan.answer_starts.tolist()):
        assert len(set(plan.answer_positions[begin:end].tolist())) == end - begin


def test_strides_become_channels_where_answers_are_joined(convolution) -> None:
    plan = LinearPlan.of(convolution(1, 64, 128, (16, 16), (3, 3), (2, 2)), 10, "bytes")
    assert plan.layout.folded and plan.geometry.phases == 4


def test_pointwise_strides_subsample_first(convolution, separate_plan) -> None:
    plan = separate_plan(convolution(1, 64, 128, (32, 32), (1, 1), (2, 2), (0, 0, 0, 0)))
    assert plan.layout.block == 16 * 16


def test_released_coefficients_are_each_output_once(convolution) -> None:
    plan = LinearPlan.of(convolution(2, 5, 9, (40, 50)), 10)
    assert np.array_equal(np.sort(plan.out_index), np.arange(plan.released_count))
    for begin, end in zip(plan.starts[:-1].tolist(), plan.starts[1:].tolist(), strict=True):
        assert len(set(plan.positions[begin:end].tolist())) == end - begin


@pytest.mark.parametrize("size", [(3, 3000), (1, 9000)])
def test_rows_too_wide_are_refused(convolution, size) -> None:
    with pytest.raises(ModelError, match=r"conv: .*do not fit into a polynomial"):
        LinearPlan.of(convolution(1, 1, 1, size), 10)


def test_too_many_input_polynomials_are_refused() -> None:
    most = parameters.MAX_INPUT_POLYS * parameters.DEGREE
    assert LinearPlan.of(LinearShape("fc", (1, most), (1, 1)), 10).in_poly_count == 4095
    with pytest.raises(ModelError, match="more than 4095 polynomials would be summed"):
        LinearPlan.of(LinearShape("fc", (1, most + 1), (1, 1)), 10)


def test_copies_count_among_the_polynomials_that_are_summed(convolution) -> None:
    """516 inputs are few, and their 8 copies are more than the kernels sum."""
    shape = convolution(1, 33_000, 64, (1, 128), (1, 1), (1, 1), (0, 0, 0, 0))
    geometry = Geometry.of(shape)
    layouts = {one.copies: one for one in Layout.candidates(geometry) if one.counts(geometry)[1] == 516}
    assert LinearPlan.with_layout(shape, 10, layouts[4]).operand_count == 4 * 516
    with pytest.raises(ModelError, match="more than 4095 polynomials would be summed"):
        LinearPlan.with_layout(shape, 10, layouts[8])
    batch = convolution(
        16, 33_000, 1000, (1, 128), (1, 1), (1, 1), (0, 0, 0, 0)
    )  # 8 copies had the best price
    assert LinearPlan.of(batch, 10, "bytes").operand_count <= parameters.MAX_INPUT_POLYS


@pytest.mark.parametrize("weight_bits", [1, 17])
def test_weights_that_no_int16_holds_are_refused(convolution, weight_bits) -> None:
    with pytest.raises(ModelError, match="--weight-bits"):
        LinearPlan.of(convolution(1, 1, 1, (4, 4)), weight_bits)


def test_noise_that_the_flood_cannot_hide_is_refused() -> None:
    shape = LinearShape("fc", (1, 1 << 24), (1, 1 << 20))
    with pytest.raises(ModelError, match="flooding hides the noise"):
        LinearPlan.of(shape, 16)


def test_noise_that_breaks_decryption_is_refused() -> None:
    limit = parameters.PRIMES[0] // (2 * parameters.PLAIN_MODULUS)
    scale = parameters.MODULUS // parameters.PRIMES[0]
    weights = parameters.WeightBound(limit * scale // 22, 1)
    assert parameters.noise_after_switch(weights) >= limit
    with pytest.raises(ModelError, match="too many or too wide weights"):
        parameters.require_noise(weights, 1, "layer")


def test_figures_of_the_derivation() -> None:
    """Three dense polynomials of 511: noise 2^28.0, and 8,194 of 131,072 after the switch."""
    weights = parameters.WeightBound(3 * 8192, 511)
    assert 2**27.9 < parameters.noise_before_flood(weights) < 2**28.1
    assert 8193 <= parameters.noise_after_switch(weights) <= 8195


def resnet18_shapes(convolution, batch: int = 1) -> list[LinearShape]:
    """The linear operators of a CIFAR ResNet18."""
    shapes = [convolution(batch, 3, 64, (32, 32))]
    ins, size = 64, 32
    for outs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        shapes.append(convolution(batch, ins, outs, (size, size), (3, 3), (stride, stride)))
        if stride > 1:
            shapes.append(convolution(batch, ins, outs, (size, size), (1, 1), (stride, stride), (0, 0, 0, 0)))
        size //= stride
        shapes += [convolution(batch, outs, outs, (size, size))] * 3
        ins = outs
    return [*shapes, LinearShape("dense", (batch, 512), (batch, 10))]


def test_statistical_distance_of_the_threat_model(convolution) -> None:
    """Logarithms for all released coefficients of one ResNet18 inference, by plan and bits of weights."""

    def distances(
        objective: str, bits: int, noise: Callable[[parameters.WeightBound], int], batch: int = 1
    ) -> list[float]:
        plans = [LinearPlan.of(shape, bits, objective) for shape in resnet18_shapes(convolution, batch)]
        assert len(plans) == 21
        noises = [noise(plan.weight_bound) / 2 ** (parameters.FLOOD_BITS + 1) for plan in plans]
        total = sum(one * plan.released_count for one, plan in zip(noises, plans, strict=True))
        return [math.log2(total / batch), math.log2(max(noises))]

    mean, worst = parameters.expected_noise, parameters.noise_before_flood
    near = partial(pytest.approx, abs=0.006)
    compute, bytes_ = HE_PLANS
    assert distances(compute, 10, mean) == near([-68.13, 28.92 - 113])
    assert distances(bytes_, 10, mean) == near([-70.00, 25.87 - 113])
    batched = [distances(objective, 10, mean, batch=16) for objective in HE_PLANS]
    assert [one[0] for one in batched] == near([-69.21, -70.59])
    assert max(one[1] for one in batched) < 28.92 - 113
    assert [distances(objective, 16, mean)[0] for objective in HE_PLANS] == near([-62.14, -64.03])
    assert [distances(objective, 10, worst)[0] for objective in HE_PLANS] == near([-54.92, -51.14])


def test_copies_of_the_packed_masks_are_wiped(convolution) -> None:
    """Also the copies that folding makes; the caller's mask stays."""
    shape = convolution(1, 3, 4, (9, 9), (3, 3), (2, 2))
    layout = next(layout for layout in Layout.candidates(Geometry.of(shape)) if layout.folded)
    plan = LinearPlan.with_layout(shape, 10, layout)
    mask = np.full(plan.in_shape, 7, np.uint32)
    copies: list[np.ndarray] = []

    def recorded(make):
        def call(*arguments):
            copies.append(made := make(*arguments))
            return made

        return call

    with (
        mock.patch.object(
            Geometry, "fold_input", lambda *given, make=Geometry.fold_input: recorded(make)(*given)
        ),
        mock.patch.object(np, "zeros", recorded(np.zeros)),
    ):
        packed = plan.pack_input(mask)
    copies = [copy for copy in copies if copy is not packed]
    assert packed.any() and (mask == 7).all()
    assert len(copies) >= 3 and not any(copy.any() for copy in copies)


@pytest.mark.parametrize(
    ("batch", "channels", "size", "kernel"),
    [
        (1, (1, 1), (1 << 20, 1), (8192, 1)),
        (1 << 16, (1, 1), (90, 90), (1, 1)),
        (1, (1, 1 << 17), (90, 90), (90, 90)),
    ],
    ids=["a polynomial for each output row", "for each image", "for each output channel"],
)
def test_small_shapes_that_take_many_polynomials_are_refused(
    convolution, batch, channels, size, kernel
) -> None:
    weighted = convolution(batch, *channels, size, kernel, (1, 1), (0, 0, 0, 0))
    with pytest.raises(ModelError, match="polynomials take"):
        LinearPlan.of(weighted, 10)


@pytest.mark.parametrize(
    "limit",
    ["MAX_WIRE_BYTES", "FLOOD_BITS", "BINOMIAL_BITS", "SIMULATION_BITS", "FAILURE_BITS", "MAX_INPUT_POLYS"],
)
def test_the_hash_of_prices_covers_the_limits_of_plans(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit decides whether two products become one. Parties with other limits must not meet."""
    before = prices_hash()
    monkeypatch.setattr(parameters, limit, getattr(parameters, limit) - 1)
    assert prices_hash() != before
