"""Plans: the order of choices on gains and risks whose best order is known, and the scores."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.models import load_recipe
from pi_bench.models.planning import (
    CHOICES,
    LayerChoice,
    choices_of,
    delphi_score,
    planned_choices,
    time_score,
    with_choices,
)


def plans(*options):
    return list(planned_choices({(one.path, one.choice): one for one in options}))


def test_layers_follow_by_gain_per_risk_and_change_their_choice_later():
    assert plans(
        LayerChoice("a", "quadratic", gain=1.0, risk=0.1),  # 10 per point
        LayerChoice("a", "linear", gain=1.5, risk=2.1),  # 0.25 per further point
        LayerChoice("b", "quadratic", gain=1.0, risk=0.5),  # 2 per point
        LayerChoice("b", "cubic", gain=0.9, risk=0.6),  # worse than the quadratic in both
        LayerChoice("c", "linear", gain=0.01, risk=0.0),  # without risk
    ) == [
        {},
        {"c": "linear"},
        {"c": "linear", "a": "quadratic"},
        {"c": "linear", "a": "quadratic", "b": "quadratic"},
        {"c": "linear", "a": "linear", "b": "quadratic"},
    ]


def test_a_choice_that_no_trade_prefers_is_passed_over():
    # From 0 to (4, 4) directly is better than by way of (1, 3).
    found = plans(
        LayerChoice("a", "cubic", gain=1.0, risk=3.0), LayerChoice("a", "linear", gain=4.0, risk=4.0)
    )
    assert found == [{}, {"a": "linear"}]


NUMBERS = st.integers(0, 20).map(lambda number: number / 4)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(CHOICES)), st.tuples(NUMBERS, NUMBERS), max_size=12
    )
)
def test_plans_grow_in_gain_and_fall_in_gain_per_risk(values):
    options = {key: LayerChoice(*key, *value) for key, value in values.items()}
    found = list(planned_choices(options))
    assert found[0] == {}

    def total(plan):
        chosen = [options[key] for key in plan.items()]
        return sum(one.gain for one in chosen), sum(one.risk for one in chosen)

    totals = [total(plan) for plan in found]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(totals)]
    assert all(gain > 0 for gain, _ in steps)
    for (gain, risk), (next_gain, next_risk) in pairwise(steps):
        if risk > 0 and next_risk > 0:
            assert gain / risk >= next_gain / next_risk - 1e-9
    most = {path: max(one.gain for key, one in options.items() if key[0] == path) for path, _ in options}
    assert totals[-1][0] == pytest.approx(sum(most.values()))


def test_the_network_of_a_plan_has_its_choices():
    base = load_recipe("resnet18-cifar100-557056")
    choices = {"stem.relu": "linear", "stages.0.0.relu1": "cubic", "stages.3.1.relu2": "quadratic"}
    recipe = with_choices(base, choices)
    assert choices_of(recipe) == choices
    assert recipe.relu_count == base.relu_count - 65536 - 65536 - 8192
    assert [(path, degree) for path, _, _, degree in recipe.polynomial_layers()] == [
        ("stages.0.0.relu1", 3),
        ("stages.3.1.relu2", 2),
    ]


def test_scores():
    assert delphi_score(70.0, replaced=0, total=10) == 70.0 == time_score(70.0, time_s=2.0, full_s=2.0)
    assert delphi_score(70.0, replaced=10, total=10) == 140.0 == time_score(70.0, time_s=0.0, full_s=2.0)
