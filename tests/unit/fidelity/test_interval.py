import pytest

from pi_bench.fidelity.interval import wilson_interval_pct

COUNTS = [(0, 8), (7, 8), (340, 359), (255, 256), (256, 256)]


def test_intervals_are_wilsons() -> None:
    for hits, count, low, high in [(0, 8, 0, 32.44), (7, 8, 52.91, 97.76), (340, 359, 91.88, 96.59)]:
        assert wilson_interval_pct(hits, count) == pytest.approx((low, high), abs=0.01)


def test_an_interval_holds_its_share() -> None:
    assert all(wilson_interval_pct(count, count)[1] == 100 for count in range(1, 300))
    assert all(wilson_interval_pct(0, count)[0] == 0 for count in range(1, 300))


@pytest.mark.parametrize(("hits", "count"), COUNTS)
def test_scipy_says_the_same(hits: int, count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    interval = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert wilson_interval_pct(hits, count) == pytest.approx((100 * interval.low, 100 * interval.high))
