"""The budget is met exactly by the largest masks; lambda grows where the count does not fall."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.models.linearization.schedule import LassoSchedule
from pi_bench.models.linearization.selection import count_above, largest

THRESHOLD = 0.01


def arrays(shapes, seed, levels):
    """Masks with few distinct values, so that many are equal."""
    generator = np.random.default_rng(seed)
    return {
        f"site{index}": (generator.integers(-2, levels, shape) / levels).astype(np.float32)
        for index, shape in enumerate(shapes)
    }


shapes = st.lists(st.tuples(*[st.integers(1, 4)] * 3), min_size=1, max_size=5)


@given(shapes, st.integers(0, 2**32), st.integers(2, 50), st.data())
def test_pixel_masks_meet_the_budget_exactly_with_the_largest(shapes, seed, levels, data):
    masks = arrays(shapes, seed, levels)
    total = sum(mask.size for mask in masks.values())
    budget = data.draw(st.integers(0, total))
    kept = largest(masks, dict.fromkeys(masks, 1), budget, THRESHOLD)
    assert {site: mask.shape for site, mask in kept.items()} == {s: m.shape for s, m in masks.items()}
    assert all(mask.dtype == bool for mask in kept.values())
    assert sum(int(mask.sum()) for mask in kept.values()) == budget
    inside = np.concatenate([masks[site][kept[site]] for site in masks])
    outside = np.concatenate([masks[site][~kept[site]] for site in masks])
    assert not len(inside) or not len(outside) or inside.min() >= outside.max()


@given(shapes, st.integers(0, 2**32), st.integers(2, 50))
def test_a_budget_that_the_threshold_meets_is_the_threshold(shapes, seed, levels):
    masks = arrays(shapes, seed, levels)
    ones = dict.fromkeys(masks, 1)
    kept = largest(masks, ones, count_above(masks, ones, THRESHOLD), THRESHOLD)
    for site, mask in masks.items():
        np.testing.assert_array_equal(kept[site], mask > THRESHOLD)


@given(shapes, st.integers(0, 2**32), st.data())
def test_channel_masks_never_exceed_the_budget_and_leave_nothing_that_fits(shapes, seed, data):
    masks = arrays([(shape[0], 1, 1) for shape in shapes], seed, 20)
    costs = {site: shape[1] * shape[2] for site, shape in zip(masks, shapes, strict=True)}
    above = count_above(masks, costs, THRESHOLD)
    budget = data.draw(st.integers(0, above))
    kept = largest(masks, costs, budget, THRESHOLD)
    count = sum(int(mask.sum()) * costs[site] for site, mask in kept.items())
    assert count <= budget
    for site, mask in masks.items():
        assert not kept[site][mask <= THRESHOLD].any() or above == budget
        for left_out in np.flatnonzero(~kept[site] & (mask > THRESHOLD)):
            assert count + costs[site] > budget, (site, left_out)


def test_equal_masks_are_kept_from_the_front():
    kept = largest({"a": np.ones((1, 2, 1, 1)), "b": np.ones((1, 2, 1, 1))}, {"a": 1, "b": 1}, 3, THRESHOLD)
    assert [mask.ravel().tolist() for mask in kept.values()] == [[True, True], [True, False]]


def test_the_threshold_itself_does_not_count():
    masks = {"a": np.array([[0.0099, 0.01, 0.0101, -0.5, 1]])}
    assert count_above(masks, {"a": 1}, 0.01) == 2
    assert count_above(masks, {"a": 16}, 0.01) == 32


def test_lambda_grows_unless_the_count_is_a_new_minimum():
    schedule = LassoSchedule(1e-5, 1.1, 100)
    powers = []
    for count in (100, 90, 90, 95, 89, 92, 88):  # 95 and 92: fewer than before, but no new minimum
        schedule = schedule.after(count)
        powers.append(round(np.log(schedule.coefficient / 1e-5) / np.log(1.1)))
    assert powers == [1, 1, 2, 3, 3, 4, 4]
    assert schedule.lowest_count == 88


@given(st.lists(st.integers(0, 50), max_size=60))
def test_lambda_counts_the_epochs_without_a_new_minimum(counts):
    schedule, misses, lowest = LassoSchedule(1.0, 2.0, 51), 0, 51
    for count in counts:
        misses += count >= lowest
        lowest = min(lowest, count)
        schedule = schedule.after(count)
    assert schedule.coefficient == pytest.approx(2.0**misses)
    assert schedule.lowest_count == lowest
