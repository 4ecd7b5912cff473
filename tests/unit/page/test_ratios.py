"""Ratios compare runs that differ in their protocol alone, and times are divided without a rest."""

from __future__ import annotations

from typing import Any

import pytest

from pi_bench.page import sections_of
from pi_bench.page.parts import Section
from pi_bench.page.ratios import pairs_of
from pi_bench.page.runs import labeled_runs
from pi_bench.page.time_division import division_facts, time_by_kind, time_by_round
from pi_bench.report.layer_time import layer_times
from tests.unit.page.stored_runs import inputs_of, several, variant


def sections(*documents: dict[str, Any]) -> dict[str, Section]:
    return {section.name: section for section in sections_of(inputs_of(*documents))}


def test_protocols_are_compared_on_the_same_network_and_link() -> None:
    """The runs of fss take twice as long as those of delphi, and send as much."""
    documents = several()
    documents[1]["offline"]["time_s"] *= 10  # delphi over lan
    found = sections(*documents)
    (card,) = (fact for fact in found["headline"].facts if fact.term == "fss beside delphi")
    assert card.value == "2.0 times online" and card.address == "settings"
    assert card.note == (
        "6 pairs with the same network and link. Online by link: loopback 2.0; lan 2.0. "
        "Offline: 0.2 to 2.0 times. Bytes: 1.00 times online, 1.00 times offline."
    )
    (table,) = found["settings"].tables
    assert table.rows[1] == ("…12288", "lan", "fss / delphi", "2.00", "0.200", "1.000", "1.000")
    assert len(table.rows) == 6 and table.sort_values[1][4] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("network", "relu_count", 7),
        ("link", "name", "far"),
        ("environment", "threads", 2),
        ("", "mode", "exact"),
    ],
)
def test_runs_that_differ_in_more_than_the_protocol_are_no_pair(part: str, name: str, value: object) -> None:
    first, second = variant(link="lan"), variant(link="lan", protocol="fss")
    assert len(pairs_of(labeled_runs(inputs_of(first, second).results))) == 1
    (second[part] if part else second)[name] = value
    assert pairs_of(labeled_runs(inputs_of(first, second).results)) == []


def test_two_runs_of_a_protocol_with_other_options_have_no_ratio() -> None:
    documents = [variant(), variant(protocol="fss"), variant(protocol="fss")]
    documents[2]["options"]["he_plan"] = "bytes"
    assert pairs_of(labeled_runs(inputs_of(*documents).results)) == []


def test_the_times_of_kinds_and_of_rounds_add_up_to_those_of_the_layers() -> None:
    (run,) = labeled_runs(inputs_of(variant()).results)
    rows = layer_times(run.result.online.layers)
    total_s = sum(row.time_s for row in rows)
    kinds, rounds = time_by_kind(rows), time_by_round(rows)
    assert sum(kinds.values()) == pytest.approx(total_s)
    assert sum(time_s for _, time_s in rounds) == pytest.approx(total_s)
    assert list(kinds.values()) == sorted(kinds.values(), reverse=True) and len(kinds) >= 3
    relus_s = sum(row.time_s for row in rows if row.layer.relu_count)
    assert kinds["ReLUs"] == pytest.approx(relus_s)
    exchanging = [row.layer.name for row in rows if row.layer.comm_round_count >= 1]
    assert [name for name, _ in rounds] == exchanging
    assert rounds[0][1] == pytest.approx(sum(row.time_s for row in rows[: _place(rows, exchanging[0]) + 1]))


def _place(rows: Any, name: str) -> int:
    return next(at for at, row in enumerate(rows) if row.layer.name == name)


def test_the_headline_says_where_the_time_of_the_slowest_run_goes_and_leads_to_its_layers() -> None:
    documents = several()
    (card,) = division_facts(labeled_runs(inputs_of(*documents).results))
    slowest = max(range(12), key=lambda at: documents[at]["online"]["latency_s"]["median"]) + 1
    found = sections(*documents)
    plot = next(each for each in found["layers"].plots if each.name == card.address == f"layers-{slowest}")
    assert card in found["headline"].facts
    assert card.note.split(". ", 1)[1] in plot.words and "By round: the slowest one ends with" in card.note
