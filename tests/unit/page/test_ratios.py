"""Ratios compare runs that differ in their protocol alone, and times are divided without a rest."""

from __future__ import annotations

from typing import Any

import pytest

from pi_bench.page import sections_of
from pi_bench.page.doubts import fraction_range
from pi_bench.page.parts import Section
from pi_bench.page.ratios import pairs_of
from pi_bench.page.runs import labeled_runs
from pi_bench.page.time_division import fractions_by_kind, kind_words, time_by_kind, time_by_round
from pi_bench.report.layer_time import layer_times
from tests.unit.page.stored_runs import inputs_of, several, variant


def sections(*documents: dict[str, Any]) -> dict[str, Section]:
    return {section.name: section for section in sections_of(inputs_of(*documents))}


@pytest.mark.slow
def test_protocols_are_compared_on_the_same_network_and_link() -> None:
    """The runs of fss take twice as long as those of delphi, and send as much."""
    documents = steady(several())
    documents[1]["offline"]["time_s"] *= 10  # delphi over lan
    found = sections(*documents)
    (card,) = (fact for fact in found["headline"].facts if fact.term == "fss beside delphi")
    assert card.value == "2.0 times online" and card.address == "settings"
    assert card.note == (
        "fss divided by delphi, for the same network and link. "
        "Online by link: loopback 2.0, median 2.0 (3 networks); lan 2.0, median 2.0 (3 networks). "
        "Offline: 0.2 to 2.0 times. Bytes: 1.00 times online, 1.00 times offline. "
        "Protocol fss is new. It was reviewed inside this project, not by outside cryptographers."
    )
    (table,) = found["settings"].tables
    assert table.rows[1] == ("…12288", "lan", "fss / delphi", "2.00", "0.200", "1.000", "1.000")
    assert len(table.rows) == 6 and table.sort_values[1][4] == pytest.approx(0.2)


def steady(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs without a mark: no caution, and a prediction that is right."""
    for document in documents:
        document["cautions"] = []
        document["prediction"]["over_measured"]["online"] = 1.0
    return documents


@pytest.mark.slow
def test_a_ratio_in_the_headline_is_of_runs_without_a_caution_and_has_their_other_mark() -> None:
    documents = steady(several())
    documents[2]["cautions"] = [{"code": "load", "text": "other programs ran"}]  # fss on loopback
    documents[2]["online"]["latency_s"]["median"] /= 10
    for document in documents[1::2]:  # over lan
        document["cautions"] = [{"code": "load", "text": "other programs ran", "phases": ["online"]}]
    documents[6]["prediction"]["over_measured"]["online"] = 2.0
    documents[6]["online"]["latency_s"]["median"] /= 2
    found = sections(*documents)
    (card,) = (fact for fact in found["headline"].facts if fact.term == "fss beside delphi")
    assert card.value == "1.00 † to 2.0 ⚠ times online"
    by_link = (
        "Online by link: loopback 1.00 † to 2.0 (2 of 3 networks, without 1 marked ⚠); "
        "lan 2.0 ⚠, median 2.0 (3 networks, all marked ⚠). Offline: 2.0 times."
    )
    assert by_link in card.note
    (table,) = found["settings"].tables
    assert [row[0].partition(" ")[2] for row in table.rows] == ["⚠", "⚠", "†", "⚠", "", "⚠"]
    online, offline = (plot.table for plot in found["settings"].plots)
    column = online.columns.index("delphi, lan")
    assert online.rows[0][column].endswith(" ⚠") and not offline.rows[0][column].endswith(" ⚠")


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


@pytest.mark.slow
def test_the_headline_says_where_the_time_goes_and_that_of_one_run_leads_to_its_layers() -> None:
    found = sections(variant())
    (card,) = (fact for fact in found["headline"].facts if fact.term == "where time goes")
    (plot,) = found["layers"].plots
    assert card.address == plot.name == "layers-1"
    assert card.note.removeprefix("Online. ") in plot.words and "The slowest round takes" in card.note
    runs = labeled_runs(inputs_of(*several()).results)
    fractions = [fractions_by_kind(run) for run in runs]
    assert all(sum(own.values()) == pytest.approx(1) for own in fractions)
    (words,) = kind_words(runs)
    assert f"ReLUs {fraction_range([own['ReLUs'] for own in fractions])}" in words
    assert not any(fact.term == "where time goes" for fact in sections(*several())["headline"].facts)
