"""Plans by channels: the least risk by brute force, groups, and the part of a gain that rounding may lose."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.models.channel_planning import (
    ChannelGroup,
    channel_groups,
    kinds_of_channels,
    least_risk_kinds,
)
from pi_bench.models.planning import CHOICES, LayerChoice


def group(*options):
    return ChannelGroup("a", (0,), tuple(LayerChoice("a", *one) for one in options))


def brute_force(groups, wanted):
    """The least risk of all choices that save a wanted cost, or None."""
    every = itertools.product(*((group.option("relu"), *group.options) for group in groups))
    risks = [sum(one.risk for one in plan) for plan in every if sum(one.gain for one in plan) >= wanted]
    return min(risks, default=None)


def totals(groups, kinds):
    taken = [group.option(kind) for group, kind in zip(groups, kinds, strict=True)]
    return sum(one.gain for one in taken), sum(one.risk for one in taken)


def groups_of(gains):
    risks = st.integers(0, 40).map(lambda number: number / 8)
    options = st.dictionaries(st.sampled_from(CHOICES), st.tuples(gains, risks), min_size=1)
    return st.lists(
        options.map(lambda of_group: group(*((one, *of_group[one]) for one in of_group))), max_size=5
    )


@pytest.mark.slow
@given(groups_of(st.sampled_from([16.0, 32.0, 64.0, 96.0])), st.integers(-5, 500))
def test_no_choice_that_saves_as_many_relus_risks_less(groups, wanted):
    found, least = least_risk_kinds(groups, float(wanted)), brute_force(groups, wanted)
    assert (found is None) == (least is None)
    if found is not None:
        gain, risk = totals(groups, found)
        assert gain >= wanted and risk == pytest.approx(least)


@pytest.mark.slow
@given(groups_of(st.floats(1e-3, 1e-1)), st.floats(1e-4, 0.2))
def test_seconds_are_rounded_by_less_than_a_thousandth_of_the_wanted_ones(groups, wanted):
    found, least = least_risk_kinds(groups, wanted), brute_force(groups, wanted * 1.001)
    if found is None:
        assert least is None
    else:
        gain, risk = totals(groups, found)
        assert gain >= wanted * 0.999
        assert least is None or risk <= least + 1e-9


def test_more_relus_than_steps_are_rounded_and_still_saved():
    groups = [group(("linear", float(gain), 1.0)) for gain in (3_000_000, 1_000_001, 999_983)]
    assert least_risk_kinds(groups, 3_900_000.0) == ["linear", "linear", "relu"]


def test_channels_with_equal_effects_on_all_choices_are_grouped():
    options = [LayerChoice("a", "quadratic", 60.0, 3.0), LayerChoice("a", "linear", 60.0, 0.0)]
    effects = {("a", "quadratic"): [5.0, 1.0, 0.0, 5.0, 1.0], ("a", "linear"): [8.0, 1.0, 0.0, 8.0, 1.0]}
    found = channel_groups(options, effects, 2, least_risk=0.5)
    assert [one.channels for one in found] == [(1, 2, 4), (0, 3)]
    assert [one.option("linear").gain for one in found] == [36.0, 24.0]
    assert [one.option("quadratic").risk for one in found] == pytest.approx([3 * 2 / 12, 3 * 10 / 12])
    assert [one.option("linear").risk for one in found] == pytest.approx([0.5 * 2 / 18, 0.5 * 16 / 18])
    alone = channel_groups(options[1:], {("a", "linear"): [0.0] * 5}, 9, least_risk=0.5)
    assert [one.channels for one in alone] == [(0,), (1,), (2,), (3,), (4,)]
    assert [one.option("linear").risk for one in alone] == pytest.approx([0.1] * 5)
    assert kinds_of_channels(found, ["relu", "quadratic"])["a"].tolist() == [2, 0, 0, 2, 0]
