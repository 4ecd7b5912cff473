"""Prepared operators add the same as operators in one go, into memory that they are given."""

import numpy as np
import pytest

from pi_bench.network.execution.prepared_linear import PreparedLinear, workspace_for
from pi_bench.network.execution.reference import linear_reference
from pi_bench.network.program import (
    Convolution,
    FullyConnected,
    LinearOp,
    LinearTerm,
    Reshape,
    Subsample,
    SumPool,
)

WHOLE = (1, 1, 1, 1)


def residual() -> LinearOp:
    """A convolution, a strided one by subsampling, and the identity, each with its scales."""
    three = Convolution("three", (2, 4, 6, 6), (2, 5, 3, 3), (3, 3), (2, 2), WHOLE)
    one = Convolution("one", (2, 3, 3, 3), (2, 5, 3, 3), (1, 1), (1, 1), (0, 0, 0, 0))
    terms = (
        LinearTerm(0, (), three, 1, np.array([0, 1, 2, 3, 31], np.uint8)),
        LinearTerm(1, (Subsample((2, 2), (0, 0), (3, 3)),), one, 1, np.array([4, 0, 0, 9, 0], np.uint8)),
        LinearTerm(2, (SumPool((2, 2), (2, 2), (0, 0, 0, 0)),), None, -3, np.arange(5, dtype=np.uint8)),
    )
    return LinearOp(3, "residual", (2, 5, 3, 3), 0, terms, None, 0)


def test_all_terms_are_added_to_what_stands_there() -> None:
    rng = np.random.default_rng(1)
    op = residual()
    shapes = {0: (2, 4, 6, 6), 1: (2, 3, 6, 6), 2: (2, 5, 6, 6)}
    values = {i: rng.integers(0, 2**32, shape, dtype=np.uint32) for i, shape in shapes.items()}
    weights = {
        "three": rng.integers(-511, 512, (5, 4, 3, 3)).astype(np.int16),
        "one": rng.integers(-511, 512, (5, 3, 1, 1)).astype(np.int16),
    }
    prepared = PreparedLinear(op, weights, 10)
    workspace = workspace_for([prepared])
    before = rng.integers(0, 2**32, op.shape, dtype=np.uint32)
    for _ in range(2):  # the workspace is used again
        out = before.copy()
        prepared.add(values, out, workspace, threads=2)
        np.testing.assert_array_equal(out - before, linear_reference(op, values, weights))
    # Calls that were made once see the values of the day.
    out = before.copy()
    calls = prepared.work(values, out, workspace, threads=2)
    for value in values.values():
        value += np.uint32(1 << 31 | 12345)
    for call, _ in calls:
        call()
    np.testing.assert_array_equal(out - before, linear_reference(op, values, weights))
    assert [reads[0].size > 0 for _, reads in calls if reads] == [True, True]


def test_a_classifier_after_global_pooling() -> None:
    rng = np.random.default_rng(2)
    local = (SumPool((4, 4), (4, 4), (0, 0, 0, 0)), Reshape((2, 7)))
    term = LinearTerm(0, local, FullyConnected("w", (2, 7), (2, 3)), 1, np.zeros(3, np.uint8))
    op = LinearOp(1, "head", (2, 3), 0, (term,), None, 0)
    weights = {"w": rng.integers(-511, 512, (3, 7)).astype(np.int16)}
    values = {0: rng.integers(0, 2**32, (2, 7, 4, 4), dtype=np.uint32)}
    prepared, out = PreparedLinear(op, weights, 10), np.zeros((2, 3), np.uint32)
    prepared.add(values, out, workspace_for([prepared]))
    np.testing.assert_array_equal(out, linear_reference(op, values, weights))
    for call, _ in prepared.work(values, out, workspace_for([prepared])):
        call()
    np.testing.assert_array_equal(out, 2 * linear_reference(op, values, weights))


def test_weights_beyond_the_public_bound_are_refused() -> None:
    weights = {"three": np.full((5, 4, 3, 3), 512, np.int16), "one": np.zeros((5, 3, 1, 1), np.int16)}
    with pytest.raises(ValueError, match="bound 511"):
        PreparedLinear(residual(), weights, 10)
