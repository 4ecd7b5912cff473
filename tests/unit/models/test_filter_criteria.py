"""The order of filters by each criterion, on filters whose order is known."""

import pytest

torch = pytest.importorskip("torch")

from pi_bench.models.filter_criteria import CRITERIA, filter_scores, largest_filters


def filters(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), len(rows[0]), 1, 1)


def test_each_criterion_removes_another_filter():
    # Filter 0 has the least l1 norm, 1 the least l2 norm, and 2 is nearest to all others.
    weight = filters([5, 0, 0], [2, 2, 2], [5, 2, 0], [5, 3, 0])
    kept = {one: largest_filters(weight, 3, one).tolist() for one in CRITERIA}
    assert kept == {"l1": [1, 2, 3], "l2": [0, 2, 3], "geometric-median": [0, 1, 3]}


def test_distances_are_those_of_the_plane():
    # The corners of a 3 x 4 rectangle: each has the distances 3, 4 and 5.
    assert filter_scores(filters([0, 0], [3, 0], [0, 4], [3, 4]), "geometric-median").tolist() == [12.0] * 4


def test_equal_filters_are_at_no_distance():
    weight = torch.full((64, 32, 3, 3), 0.1)
    assert filter_scores(weight, "geometric-median").tolist() == [0.0] * 64
    assert largest_filters(weight, 3, "geometric-median").tolist() == [0, 1, 2]


def test_an_unknown_criterion_is_no_silent_l1():
    with pytest.raises(ValueError, match="criterion 'l3': it is none of l1, l2, geometric-median"):
        filter_scores(filters([1, 2]), "l3")
