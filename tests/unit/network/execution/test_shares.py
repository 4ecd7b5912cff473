"""Linear algebra on shares against the reference, which is written apart from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.network.execution.reference import linear_reference
from pi_bench.network.execution.shares import (
    apply_linear,
    apply_local,
    apply_weighted,
    combine_terms,
    prepare_weights,
)
from pi_bench.network.program import (
    ChannelMap,
    ChannelSlice,
    Convolution,
    ElementMap,
    FullyConnected,
    LinearOp,
    LinearTerm,
    LocalOp,
    Pad,
    Permute,
    Reshape,
    Subsample,
    SumPool,
    SumWindows,
    Weighted,
    Window,
)


def one_term(weighted: Weighted, shift_bits: np.ndarray | None = None) -> LinearOp:
    shift = np.zeros(weighted.out_shape[1], np.uint8) if shift_bits is None else shift_bits
    term = LinearTerm(0, (), weighted, 1, shift)
    return LinearOp(1, "layer", weighted.out_shape, 0, (term,), None, 0)


def random_words(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, 2**32, shape, dtype=np.uint32)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    def size(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    kernel = (size(1, 4), size(1, 4))
    padding = (size(0, 2), size(0, 2), size(0, 2), size(0, 2))
    stride = (size(1, 3), size(1, 3))
    dilation = (size(1, 3), size(1, 3))
    extent = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    height, width = extent[0] + size(0, 5), extent[1] + size(0, 5)
    rows = (height + padding[0] + padding[1] - extent[0]) // stride[0] + 1
    columns = (width + padding[2] + padding[3] - extent[1]) // stride[1] + 1
    batch, groups = size(1, 2), size(1, 3)
    channels, out = groups * size(1, 4), groups * size(1, 4)
    shape = (batch, channels, height, width)
    return Convolution("w", shape, (batch, out, rows, columns), kernel, stride, padding, dilation, groups)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(convolutions(), st.integers(0, 2**32 - 1), st.sampled_from([4, 10, 16]))
def test_shares_of_a_convolution_add_up_to_the_reference(op: Convolution, seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    limit = (1 << (bits - 1)) - 1
    weights = rng.integers(-limit, limit + 1, op.weight_shape).astype(np.int16)
    x, v = random_words(rng, op.in_shape), random_words(rng, op.in_shape)
    shift = rng.integers(0, 32, op.out_shape[1]).astype(np.uint8)
    linear = one_term(op, shift)
    prepared = prepare_weights(op, weights, bits)
    total = combine_terms(linear, [apply_weighted(op, prepared, x - v)])
    total += combine_terms(linear, [apply_weighted(op, weights, v)])
    np.testing.assert_array_equal(total, linear_reference(linear, {0: x}, {"w": weights}))


@pytest.mark.parametrize(
    "ops",
    [
        (SumPool((2, 2), (2, 2), (0, 0, 0, 0)), Reshape((2, 27))),
        (SumPool((3, 3), (2, 1), (1, 1, 1, 0)),),
        (SumPool((6, 6), (6, 6), (0, 0, 0, 0)), Reshape((2, 3))),
        (Subsample((2, 3), (0, 0), (3, 2)),),
        (Subsample((2, 1), (-2, 3), (6, 4)),),  # beyond the edges: the values at the edge
        (
            SumWindows(
                (Window(0, 4, 3), Window(3, 6, 1)), (Window(0, 1, 9), Window(2, 5, 2), Window(0, 6, 1))
            ),
        ),
        (ChannelSlice(1, 2), Permute((0, 1, 3, 2))),
        (ChannelMap((2, -1, 0, 0)), ChannelMap((1, 3))),
        (ElementMap(np.array([107, -1, 0, 36, 5, 5], np.int32), (2, 1, 2, 3)),),
        (Pad((1, 0, 2, 3)), SumPool((2, 3), (1, 2), (0, 0, 0, 0))),
        (Reshape((2, 3, 2, 3, 6)), Permute((0, 2, 1, 4, 3)), Reshape((2, 6, 6, 3))),
    ],
)
def test_local_operators_are_linear_and_equal_the_reference(
    ops: tuple[LocalOp, ...],
) -> None:
    rng = np.random.default_rng(2)
    x, v = random_words(rng, (2, 3, 6, 6)), random_words(rng, (2, 3, 6, 6))
    total = apply_local(ops, x - v) + apply_local(ops, v)
    term = LinearTerm(0, ops, None, 7, np.full(total.shape[1], 3, np.uint8))
    op = LinearOp(1, "pool", total.shape, 0, (term,), "b", 0)
    weights = {"b": random_words(rng, total.shape[1:2])}
    expected = linear_reference(op, {0: x}, weights)
    np.testing.assert_array_equal(combine_terms(op, [total], weights["b"]), expected)
    np.testing.assert_array_equal(apply_linear(op, {0: x}, weights), expected)


def test_weights_beyond_the_public_bound_and_wrong_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="bound 511"):
        prepare_weights(FullyConnected("w", (1, 1), (1, 1)), np.array([[512]], np.int16), 10)
    op = FullyConnected("w", (1, 2), (1, 1))
    with pytest.raises(ValueError, match="weights"):
        prepare_weights(op, np.ones((2, 2), np.int16))
    with pytest.raises(ValueError, match="uint32"):
        apply_weighted(op, np.ones((1, 2), np.int16), np.zeros((1, 2), np.int64))
