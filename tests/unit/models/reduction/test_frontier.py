"""The Pareto frontier: laws, over any lists of costs and accuracies."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.models.reduction.frontier import on_frontier

# Few values, so that ties are common.
POINTS = st.lists(
    st.tuples(st.none() | st.integers(0, 6), st.none() | st.integers(0, 6).map(float)), max_size=30
)


def beats(one, other):
    return one[0] <= other[0] and one[1] >= other[1] and one != other


def known(point):
    return None not in point


@given(POINTS)
def test_a_network_is_on_the_frontier_if_and_only_if_no_other_is_better(points):
    found = on_frontier([cost for cost, _ in points], [accuracy for _, accuracy in points])
    for point, member in zip(points, found, strict=True):
        beaten = known(point) and any(beats(other, point) for other in points if known(other))
        assert member == (known(point) and not beaten)


@given(POINTS)
def test_every_network_is_matched_by_one_of_the_frontier(points):
    found = on_frontier([cost for cost, _ in points], [accuracy for _, accuracy in points])
    frontier = [point for point, member in zip(points, found, strict=True) if member]
    for point in filter(known, points):
        assert any(best == point or beats(best, point) for best in frontier)


@given(POINTS, st.randoms())
def test_order_does_not_matter(points, random):
    def frontier(shuffled):
        found = on_frontier([cost for cost, _ in shuffled], [accuracy for _, accuracy in shuffled])
        return sorted(point for point, member in zip(shuffled, found, strict=True) if member)

    shuffled = random.sample(points, len(points))
    assert frontier(points) == frontier(shuffled)


@given(POINTS)
def test_the_frontier_of_the_frontier_is_itself(points):
    found = on_frontier([cost for cost, _ in points], [accuracy for _, accuracy in points])
    frontier = [point for point, member in zip(points, found, strict=True) if member]
    assert all(on_frontier([cost for cost, _ in frontier], [accuracy for _, accuracy in frontier]))


def test_the_published_networks_are_on_their_frontier():
    """Table 4 of DeepReDuce: more ReLUs, more accuracy, all the way (but for the baseline)."""
    relus = [557056, 229376, 196608, 114688, 57344, 49152, 28672, 24576, 14336, 12288, 7168]
    accuracies = [74.46, 76.22, 75.51, 74.72, 72.68, 69.50, 68.68, 68.41, 65.36, 64.97, 62.30]
    assert on_frontier(relus, accuracies) == [False] + [True] * 10


def test_not_a_number_is_refused():
    with pytest.raises(ValueError, match="network 1"):
        on_frontier([1, 2], [50.0, math.nan])
    with pytest.raises(ValueError):
        on_frontier([1, 2], [50.0])
