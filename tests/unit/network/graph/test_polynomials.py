"""Polynomials as squares and products of an affine image: the identities, and the calibrated values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.network.graph.polynomials import (
    ChannelKind,
    evaluate_polynomials,
    inside_values,
    reduce_polynomials,
)

COEFFICIENT = st.one_of(st.just(0.0), st.floats(0.01, 4), st.floats(-4, -0.01))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.lists(COEFFICIENT, min_size=4, max_size=4), min_size=1, max_size=6),
    degree=st.integers(2, 3),
    seed=st.integers(0, 99),
)
def test_the_reduced_form_is_the_polynomial(rows: list[list[float]], degree: int, seed: int) -> None:
    coefficients = np.array(rows)[:, : degree + 1]
    relu = np.random.default_rng(seed).random(len(coefficients)) < 0.3
    x = np.random.default_rng(seed).uniform(-3, 3, (2, len(coefficients), 3, 2))
    reduced = reduce_polynomials(coefficients, relu)
    joined = inside_values(reduced, x)["joined"]
    joined[:, reduced.channels(ChannelKind.RELU)] = np.maximum(0, x[:, relu])
    y = joined * reduced.gain.reshape(-1, 1, 1)
    expected = sum(c.reshape(-1, 1, 1) * x**power for power, c in enumerate(coefficients.T))
    expected = np.where(relu.reshape(-1, 1, 1), np.maximum(0, x), expected)
    scale = np.abs(reduced.shift).max() ** 3 + 1  # the terms that cancel again
    np.testing.assert_allclose(y, expected, atol=1e-12 * scale * max(1, np.abs(reduced.inner).max()))
    np.testing.assert_allclose(
        evaluate_polynomials(coefficients, relu, x.astype(np.float32)), expected, rtol=1e-4, atol=1e-4
    )


def test_kinds_follow_the_highest_coefficient_that_is_not_zero() -> None:
    coefficients = np.array([[1, 2, 3, 4], [1, 2, 3, 0], [1, 2, 0, 0], [1, 0, 0, 0], [0, 0, -2, 0]], float)
    reduced = reduce_polynomials(coefficients, np.array([0, 0, 0, 0, 0], bool))
    assert list(reduced.kinds) == [3, 2, 1, 1, 2]
    assert list(reduced.gain) == [1, 1, 1, 1, -1]
    assert list(reduce_polynomials(coefficients, np.arange(5) == 1).kinds) == [3, 0, 1, 1, 2]
    assert not reduced.is_monic


@pytest.mark.parametrize("degree", [2, 3])
def test_a_bare_power_folds_nothing(degree: int) -> None:
    coefficients = np.zeros((3, degree + 1))
    coefficients[:, degree] = 1
    reduced = reduce_polynomials(coefficients, None)
    assert reduced.is_monic
    assert not reduced.inner.any() and not reduced.outer.any() and (reduced.gain == 1).all()
