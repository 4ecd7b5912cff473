"""Comparing systems: medians of later inferences, totals of first ones, failures named."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import compare
from benchmarks.peers.systems import PI_BENCH, Run, System, Workload

WORKLOAD = Workload("w", Path("m.pt"), Path("n.npz"))


def ours(workload: Workload, peers: Path, repetitions: int) -> Run:
    return Run(1.0, [5.0, 2.0, 3.0], [0.9, 0.1, 0.2], 10, 20, [1.0, 2.5])


def theirs(workload: Workload, peers: Path, repetitions: int) -> Run:
    return Run(0.5, [], [4.0, 3.0, 3.0], 30, 0, [1.0, 2.0])


def broken(workload: Workload, peers: Path, repetitions: int) -> Run:
    raise RuntimeError("it does not import")


def measured(*others: System, peers: Path) -> list[dict]:
    systems = (System(PI_BENCH.name, None, "", ours), *others)
    return compare.measure(WORKLOAD, np.array([[1.0, 2.0]]), systems, peers, rounds=2, repetitions=3)


def test_first_and_later_inferences(tmp_path: Path) -> None:
    own, other = measured(System("other", None, "dealer", theirs), peers=tmp_path)
    assert (own["online_s"], own["offline_s"]) == pytest.approx((0.15, 2.5))
    assert own["total_s"] == pytest.approx(1.0 + 5.0 + 0.9)
    assert own["largest_error"] == pytest.approx(0.5)
    assert (other["online_s"], other["offline_s"], other["total_s"]) == pytest.approx((3.0, 0.0, 4.5))
    assert other["online_ratio"] == pytest.approx(3.0 / 0.15)
    assert other["total_ratio"] == pytest.approx(4.5 / 6.9)
    assert len(other["runs"]) == 2 and "output" not in other["runs"][0]


@pytest.mark.parametrize(
    ("ratio", "error", "cell"),
    [(3508.8, 0.5, "3,500"), (24.9, 0.05, "25"), (0.72, 5.0, "0.7"), (24.9, 0.049, ""), (24.9, 5.1, "")],
)
def test_ratios_have_two_digits_and_need_comparable_errors(
    ratio: float, error: float, cell: str, tmp_path: Path
) -> None:
    own, other = measured(System("other", None, "dealer", theirs), peers=tmp_path)
    other |= {"online_ratio": ratio, "largest_error": error}
    line = next(line for line in compare.render([own, other]).splitlines() if line.startswith("| other"))
    assert [part.strip() for part in line.split("|")][3] == cell


def test_a_system_that_fails_is_named_in_the_table(tmp_path: Path) -> None:
    rows = measured(System("bad", None, "", broken), System("absent", "nowhere", "", theirs), peers=tmp_path)
    text = compare.render(rows)
    assert "| bad | not run: RuntimeError: it does not import |" in text
    assert "| absent | not run: RuntimeError: no environment; `make bench-peers` makes it |" in text
    assert f"| {PI_BENCH.name} | 150.0 ms | 1.0 |  | 2,500 ms | 6,900 ms | 1.0 | 0.0 | 0.0 |  | 0.5 |" in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {12}
