"""Ratios, their intervals and verdicts over samples whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from pi_bench.comparison import build_comparison, ratio_of
from pi_bench.comparison.ratios import narrow, verdict_of
from pi_bench.report.comparison import render_comparison
from pi_bench.report.documents.comparison import SessionTimes, Side


def side(name: str, sessions: list[np.ndarray], source: str = "measured") -> Side:
    return Side(
        name=name,
        source=source,  # type: ignore[arg-type]
        network="resnet18",
        digest="ab" * 32,
        protocol="delphi",
        mode="windowed",
        options={},
        link="loopback",
        threads=1,
        relu_count=12288,
        online_bytes=3,
        offline_bytes=4,
        rounds=18.0,
        verified=True,
        sessions=[SessionTimes(online_s=list(times), offline_s=list(2 * times)) for times in sessions],
    )


def drawn(generator: np.random.Generator, factor: float = 1.0, rounds: int = 10) -> list[np.ndarray]:
    """Times of sessions that differ by 2 % from each other, with runs that differ by 10 % within."""
    return [
        factor * 0.005 * np.exp(generator.normal(0, 0.02) + np.abs(generator.normal(0, 0.1, 5)))
        for _ in range(rounds)
    ]


def test_a_network_against_itself_shows_no_difference_as_often_as_the_confidence_says() -> None:
    generator = np.random.default_rng(2)
    verdicts = [
        ratio_of(side("b", drawn(generator)), side("a", drawn(generator)), "online").verdict
        for _ in range(200)
    ]
    assert verdicts.count("no difference shown") >= 190


@pytest.mark.parametrize(("factor", "verdict"), [(1.1, "slower"), (0.9, "faster")])
def test_a_planted_difference_of_a_tenth_is_found(factor: float, verdict: str) -> None:
    generator = np.random.default_rng(3)
    found = [
        ratio_of(side("b", drawn(generator, factor)), side("a", drawn(generator)), "online")
        for _ in range(100)
    ]
    assert [each.verdict for each in found].count(verdict) >= 90
    assert np.median([each.ratio or 0 for each in found]) == pytest.approx(factor, abs=0.02)
    held = [each.interval is not None and each.interval[0] <= factor <= each.interval[1] for each in found]
    assert sum(held) >= 95


def until_narrow(generator: np.random.Generator, factor: float, noise: float) -> tuple[str, int]:
    """The verdict over 10 to 30 rounds, whose ratios have this spread, and how many rounds there were."""
    for rounds in range(10, 31):
        if rounds == 10:
            ratios = list(factor * np.exp(generator.normal(0, noise, rounds)))
        else:
            ratios.append(factor * np.exp(generator.normal(0, noise)))
        mine, other = [np.array([ratio]) for ratio in ratios], [np.array([1.0])] * rounds
        if narrow(mine, other):
            break
    return ratio_of(side("b", mine), side("a", other), "online").verdict, rounds


@pytest.mark.law
def test_rounds_that_are_added_until_the_interval_is_narrow_keep_the_confidence() -> None:
    generator = np.random.default_rng(5)
    same = [until_narrow(generator, 1.0, 0.08) for _ in range(300)]
    assert [verdict for verdict, _ in same].count("no difference shown") >= 290
    assert {rounds for _, rounds in same} >= {20, 25}, "a noisy machine needs more rounds than ten"
    slowed = [until_narrow(generator, 1.1, 0.08) for _ in range(100)]
    assert [verdict for verdict, _ in slowed].count("slower") >= 90
    assert all(rounds == 10 for _, rounds in (until_narrow(generator, 1.0, 0.02) for _ in range(20)))


@pytest.mark.parametrize("rounds", [4, 10, 30])
def test_scipy_gives_the_same_interval_of_the_rounds(rounds: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(rounds)
    times, base_times = drawn(generator, 1.1, rounds), drawn(generator, rounds=rounds)
    logs = [np.log(np.median(a) / np.median(b)) for a, b in zip(times, base_times, strict=True)]
    expected = stats.ttest_1samp(logs, 0.0).confidence_interval(0.99)
    found = ratio_of(side("b", times), side("a", base_times), "online")
    assert found.interval == pytest.approx((np.exp(expected.low), np.exp(expected.high)), rel=1e-12)


def test_runs_of_one_session_do_not_count_as_rounds() -> None:
    """A session that is slower by chance, measured often, shows nothing about the next session."""
    generator = np.random.default_rng(4)
    slow, fast = drawn(generator, 1.1, rounds=1), drawn(generator, 1.0, rounds=1)
    many = ratio_of(side("b", slow * 3), side("a", fast * 3), "online")
    assert many.interval is None, "three rounds are too few, however many runs they have"
    assert many.verdict == "no verdict"


def test_kept_runs_are_compared_by_their_runs_and_said_to_be() -> None:
    generator = np.random.default_rng(5)
    sides = [
        side(name, [factor * 0.005 * np.exp(generator.normal(0, 0.02, 20))], source="stored")
        for name, factor in (("a", 1.0), ("b", 1.2), ("c", 1.0))
    ]
    for other, verdict in zip(sides[1:], ("slower", "no difference shown"), strict=True):
        found = ratio_of(other, sides[0], "offline")
        assert (found.verdict, "bootstrap" in found.method) == (verdict, True)
    few = replace(sides[1], sessions=[SessionTimes(online_s=[0.1] * 5, offline_s=[0.1] * 5)])
    assert ratio_of(few, sides[0], "online").verdict == "no verdict"
    assert ratio_of(few, sides[0], "online").ratio is not None


def test_the_text_says_verdict_ratio_and_interval() -> None:
    generator = np.random.default_rng(6)
    result = build_comparison(
        [side("a", drawn(generator)), side("b", drawn(generator, 1.5))], [], {}, interrupted=False
    )
    text = render_comparison(result)
    assert text.startswith("online   b against a: slower, 1.")
    assert "(99 % interval 1." in text.splitlines()[0]
    assert [ratio.phase for ratio in result.ratios] == ["online", "offline"]
    assert result.ratios[0].side == "b"


def test_verdicts_are_about_the_whole_interval() -> None:
    assert verdict_of((1.0, 1.2)) == "no difference shown"
    assert verdict_of((0.8, 1.0)) == "no difference shown"
    assert verdict_of((0.8, 0.99)) == "faster"


def test_relative_to_the_floor_a_slower_hour_is_no_slower_network() -> None:
    """The machine is twice as slow for one side, and its floor is twice as high."""
    generator = np.random.default_rng(6)
    base = replace(side("a", drawn(generator)), online_floor_s=1e-3)
    later = replace(side("b", drawn(generator, 2.0)), online_floor_s=2e-3)
    assert ratio_of(later, base, "online").verdict == "slower"
    relative = ratio_of(later, base, "online", relative_to_floor=True)
    assert relative.verdict == "no difference shown"
    assert relative.ratio == pytest.approx(1.0, abs=0.05) and relative.relative_to_floor


def test_without_a_floor_nothing_is_judged_relative_to_it() -> None:
    generator = np.random.default_rng(7)
    sides = [replace(side("a", drawn(generator)), online_floor_s=1e-3), side("b", drawn(generator))]
    result = build_comparison(sides, [], {}, interrupted=False, relative_to_floor=True)
    assert [ratio.verdict for ratio in result.ratios] == ["no verdict", "no verdict"]
    line = "online relative to the floor   b against a: no verdict (a side has no floor)"
    assert line in render_comparison(result)


def test_at_100_columns_long_names_are_shortened_and_every_figure_of_the_sides_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    generator = np.random.default_rng(8)
    sides = [
        replace(side(f"networks/{name}/resnet18-cifar100-12288.pt", drawn(generator)), relu_count=557_056)
        for name in ("trained-in-november", "trained-in-december")
    ]
    lines = render_comparison(build_comparison(sides, [], {}, interrupted=False)).splitlines()
    (header,) = (line for line in lines if line.startswith("side "))
    assert "sent online  sent offline  comm. rounds    ReLUs" in header
    rows = lines[lines.index(header) + 2 :][:2]
    assert all(row.endswith("557,056") and len(row) <= 100 for row in rows)
    assert rows[0].split()[0] != rows[1].split()[0]


def test_the_text_says_whether_every_run_was_verified() -> None:
    def text(*verified: bool | None) -> str:
        generator = np.random.default_rng(9)
        sides = [
            replace(side(name, drawn(generator)), verified=found)
            for name, found in zip("abc", verified, strict=False)
        ]
        return render_comparison(build_comparison(sides, [], {}, interrupted=False))

    assert "every run was verified" in text(True, True)
    assert "verification FAILED: b, NOT VERIFIED: c" in text(True, False, None)
