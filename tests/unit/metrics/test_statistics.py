import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.launch.stopping import MAX_WARM_UPS, Stopping
from pi_bench.metrics.environment import describe_environment
from pi_bench.metrics.statistics import bootstrap_interval, median_interval, missing_percentiles, summarize


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_agrees_with_numpy(samples: list[float]) -> None:
    summary = summarize(samples)
    expected = np.percentile(samples, [0, 25, 50, 75, 100])
    found = [getattr(summary, name) for name in ("min", "q1", "median", "q3", "max")]
    assert found == pytest.approx(list(expected))
    assert list(summary.samples) == samples


def test_environment_is_json_and_names_no_path() -> None:
    text = json.dumps(describe_environment())
    assert "/" not in json.loads(text)["cpu_model"]
    assert {"cpu_model", "core_count", "instruction_set", "versions", "commit"} <= json.loads(text).keys()


@pytest.mark.slow
def test_the_interval_of_the_median_holds_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = median_interval(generator.exponential(1, 20)) or (0.0, 0.0)
        held += low <= np.log(2) <= high
    assert 0.9 <= held / 200 <= 0.99


def test_scipy_gives_the_same_bootstrap_interval() -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(2)
    one, two = generator.exponential(1, 20), generator.exponential(1, 7)

    def ratio(left: np.ndarray, right: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.median(left, axis=axis) / np.median(right, axis=axis))

    for samples, statistic, confidence in (([one], np.median, 0.95), ([one, two], ratio, 0.99)):
        settings = {"n_resamples": 9999, "method": "percentile", "rng": np.random.default_rng(0)}
        expected = stats.bootstrap(
            samples, statistic, vectorized=True, confidence_level=confidence, **settings
        ).confidence_interval
        found = bootstrap_interval(samples, partial(statistic, axis=-1), confidence)
        assert found == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_percentiles_have_a_floor_and_outliers_stay() -> None:
    samples = [1.0] * 63 + [9.0]
    assert summarize(samples[1:]).percentiles == {}
    assert summarize(samples).percentiles == {90.0: 1.0}
    assert summarize(samples).outliers == (9.0,)
    assert summarize(samples).max == 9.0
    assert missing_percentiles(63) == "p90 needs 64 runs, p99 needs 662 runs"


def test_warm_up_ends_when_runs_agree_or_are_too_many() -> None:
    rule = Stopping(runs=5)
    assert not rule.warm([])
    assert not rule.warm([9.0, 2.0])
    assert rule.warm([9.0, 2.0, 2.1])
    assert rule.warm([2.0**i for i in range(MAX_WARM_UPS)])
    assert Stopping(runs=5, warmup=0).warm([])


def test_precision_repeats_until_the_interval_is_narrow_or_time_is_over() -> None:
    rule = Stopping(runs=5, precision=0.05, max_time_s=10)
    wide, narrow = [1.0, 2.0] * 10, [1.0, 1.01] * 10
    assert not rule.enough(narrow[:5], 0.0), "five samples have no interval"
    assert rule.enough(narrow, 0.0)
    assert not rule.enough(wide, 9.9)
    assert rule.enough(wide, 10.0)
    assert not rule.enough([], 11.0), "--runs is the least number"
    assert rule.wants_more(20), "whoever interrupts a precision leaves runs out"
    assert not Stopping(runs=5).wants_more(5)
