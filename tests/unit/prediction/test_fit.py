import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.costs import CostUnits
from pi_bench.prediction.fit import fit_units

UNIT_S = st.floats(1e-9, 1e-3)
AMOUNTS = st.lists(st.floats(1, 1e4), min_size=2, max_size=2)


@settings(deadline=None)
@given(UNIT_S, UNIT_S)
def test_exact_times_give_exact_units(first_s: float, second_s: float) -> None:
    works = [
        CostUnits({"a": 1000.0, "b": 1.0}),
        CostUnits({"a": 1.0, "b": 1000.0}),
        CostUnits({"a": 10.0, "b": 10.0}),
    ]
    timed = [(work, work.units["a"] * first_s + work.units["b"] * second_s) for work in works]
    found = fit_units(timed)
    for work, seconds in timed:  # a unit that never shows in a time need not be found
        predicted = sum(amount * found[name] for name, amount in work.units.items())
        assert predicted == pytest.approx(seconds, rel=1e-3)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(AMOUNTS, st.floats(1e-6, 1.0)), min_size=1, max_size=6))
def test_no_unit_takes_negative_time(rows: list[tuple[list[float], float]]) -> None:
    found = fit_units(
        [(CostUnits(dict(zip("ab", amounts, strict=True))), seconds) for amounts, seconds in rows]
    )
    assert all(value >= 0 and np.isfinite(value) for value in found.values())


def test_errors_are_relative() -> None:
    """A short case counts as much as a long one: halves and doubles of a unit meet in between."""
    found = fit_units([(CostUnits({"a": 1.0}), 1e-6), (CostUnits({"a": 1e6}), 3.0)])
    assert 1e-6 < found["a"] < 3e-6
    assert abs(found["a"] / 1e-6 - 1) < 1.0


def test_known_units_are_taken_as_they_are() -> None:
    found = fit_units([(CostUnits({"a": 2.0, "b": 3.0}), 8.0)], {"a": 1.0})
    assert found == {"b": pytest.approx(2.0)}


@pytest.mark.parametrize("timed", [[], [(CostUnits({"a": 1.0}), 0.0)]])
def test_nothing_timed_is_refused(timed: list[tuple[CostUnits, float]]) -> None:
    with pytest.raises(ValueError, match="works that took time"):
        fit_units(timed)
