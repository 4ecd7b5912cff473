"""A reader sees where the figures stand which results are doubtful, and what the answers are worth."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pi_bench.page import sections_of
from pi_bench.page.document import html_page
from pi_bench.page.parts import Section
from pi_bench.page.run_groups import group_text
from pi_bench.page.runs import labeled_runs
from tests.unit.page.stored_runs import inputs_of, several, variant

LOAD = {"code": "load", "text": "other programs took 12 % of the time of the cores: close them."}


def sections(*documents: dict[str, Any]) -> dict[str, Section]:
    return {section.name: section for section in sections_of(inputs_of(*documents))}


def with_remarks() -> list[dict[str, Any]]:
    """Twelve runs, of which the fourth has a caution, all have a warning, and those of fss have notes."""
    documents = several()
    for document in documents:
        document["prediction"]["over_measured"]["online"] = 1.0
        document.update(cautions=[], warnings=["weights are random: answers mean nothing"], notes=[])
        if document["protocol"] == "fss":
            document["notes"] = [f"{document['network']['relu_count']:,} activations use shared tables."]
    documents[3]["cautions"] = [LOAD]
    return documents


@pytest.mark.slow
def test_a_result_with_a_caution_is_marked_where_its_figures_stand_and_leads_to_the_text() -> None:
    documents = with_remarks()
    found = sections(*documents)
    over_loopback, over_lan = found["headline"].tables
    marked = [row for row, cells in enumerate(over_lan.rows) if cells[0].endswith(" ⚠")]
    assert marked == [1] == list(over_lan.links) and not over_loopback.links
    bars = [row["run"] for plot in found["phases"].plots for row in plot.spec["layer"][0]["data"]["values"]]
    assert sum("⚠" in label for label in bars) == 2  # its online and its offline time
    card = next(fact for fact in found["headline"].facts if fact.term == "cautions")
    assert card.value == "1 of 12 results" and "other programs took processor time (1 result)" in card.note
    page = html_page("page", list(found.values()), documents)
    assert re.findall(r'<tr id="caution-1"><th scope="row">(\w+)</th><td>([^<]*)', page) == [
        ("caution", LOAD["text"].replace(" %", "\N{NO-BREAK SPACE}%"))
    ]
    assert page.count('href="#caution-1"') == 2  # the card and the row of the run


@pytest.mark.slow
def test_an_uncertain_latency_without_a_caution_has_a_weaker_mark_that_leads_to_the_reason() -> None:
    documents = with_remarks()
    for number in (0, 3):  # the second has a caution as well
        latency = documents[number]["online"]["latency_s"]
        latency["q3"] = latency["q1"] + 0.3 * latency["median"]
    documents[2]["prediction"]["over_measured"]["online"] = 0.7  # an error of the model marks no latency
    found = sections(*documents)
    names = [row[0] for table in found["headline"].tables for row in table.rows]
    assert [name.partition(" ")[2] for name in names] == ["†", "", "", "", "", "", "", "⚠", "", "", "", ""]
    assert found["headline"].tables[0].links == {0: "doubt-1"}
    assert any(each.startswith("† marks 1 result ") for each in found["headline"].words)
    table = found["machines"].tables[-1]
    assert [row[3] for row in table.rows] == ["30 % of the median"] * 2
    assert list(table.addresses.values()) == ["doubt-1", "doubt-4"]
    labels = [row["run"] for row in found["phases"].plots[0].spec["layer"][0]["data"]["values"]]
    assert labels[:2] == ["…12288 · delphi · †", "…12288 · fss"]


@pytest.mark.slow
def test_a_page_without_cautions_has_neither_mark_nor_card() -> None:
    found = sections(*({**document, "cautions": []} for document in several()))
    assert not any("⚠" in str(section) for section in found.values())
    assert "cautions" not in [fact.term for fact in found["headline"].facts]


@pytest.mark.slow
def test_cautions_come_first_and_notes_that_differ_in_numbers_alone_are_one() -> None:
    rows = sections(*with_remarks())["machines"].tables[-1].rows
    assert rows == (
        ("caution", LOAD["text"], "all figures", "…12288 · fss · lan · ⚠"),
        ("warning", "weights are random: answers mean nothing", "-", "all runs"),
        ("note", "12,288 to 229,376 activations use shared tables.", "-", "all fss runs"),
    )


@pytest.mark.slow
def test_a_link_that_was_not_kept_has_a_caution_with_the_phases_and_the_range_of_figures() -> None:
    """The stored results have none, as those of older versions."""
    documents = [{**document, "cautions": []} for document in with_remarks()]
    over_lan = [document for document in documents if document["link"]["kind"] == "emulated"]
    for number, document in enumerate(over_lan):
        document["link"]["measured"] = {"rtt_s": 0.002 + number / 1000, "up_bits_per_s": 1e9}
        document["link"]["measured"]["down_bits_per_s"] = 1e9 if number else 1e8
    found = sections(*documents)
    slow, late = found["machines"].tables[-1].rows[:2]
    assert (late[0], late[2:]) == ("caution", ("all figures", "all runs over lan"))
    assert "took 2.00 to 7.00 ms, not 1.00 ms" in late[1]
    assert "carried 100 Mbit/s to the client, not 1 Gbit/s" in slow[1] and slow[2] == "offline, online"
    assert slow[3] == "…12288 · delphi · lan · ⚠"
    (card,) = (fact for fact in found["headline"].facts if fact.term == "cautions")
    assert card.value == "6 of 12 results"
    assert "fewer bits per second than --link asks for (1 result: offline, online)" in card.note
    assert "took longer than --link asks for (6 results)" in card.note
    parts = [
        document["online"]["comm_round_count"]
        * (document["link"]["measured"]["rtt_s"] - 0.001)
        / document["online"]["latency_s"]["median"]
        for document in over_lan
    ]
    explained = f"explain {100 * min(parts):.0f} to {100 * max(parts):.0f} % of the online latency"
    assert f"Longer round trips {explained} of these 6 results" in late[1]
    assert "Missing bandwidth explains at most" in slow[1] and "of its result." in slow[1]


def test_sets_of_runs_are_named_by_what_they_share() -> None:
    documents = [{**document, "cautions": []} for document in with_remarks()]
    runs = labeled_runs(inputs_of(*documents).results)
    fss = [run for run in runs if run.result.protocol == "fss"]
    over_lan = [run for run in runs if run.result.link.name == "lan"]
    small = [run for run in fss if run.result.network.relu_count == 12288]
    assert group_text(over_lan, runs) == "all runs over lan"
    assert group_text([run for run in fss if run in over_lan], runs) == "all fss runs over lan"
    assert group_text(small, runs) == "all fss runs of …12288"
    assert (
        group_text([run for run in fss if run not in small], runs) == "all fss runs, except those of …12288"
    )
    assert group_text(runs[:2] + runs[5:6], runs) == "; ".join(run.label for run in runs[:2] + runs[5:6])
    assert group_text(runs[:1] + runs[4:5] + runs[7:9], runs) == "4 of 12 runs: all runs"


@pytest.mark.slow
def test_random_weights_stand_beside_the_verification() -> None:
    documents = several()
    terms = {fact.term: fact for fact in sections(*documents)["headline"].facts}
    assert list(terms)[:2] == ["computation", "weights"]
    assert terms["weights"].value == "random" and "mean nothing" in terms["weights"].note
    for document in documents[1:]:
        document["network"]["weights"] = "given"
    assert "random in 1 of 12" in [fact.value for fact in sections(*documents)["headline"].facts]
    documents[0]["network"]["weights"] = "given"
    assert "weights" not in [fact.term for fact in sections(*documents)["headline"].facts]
    assert any(
        "compared with the same operator in the clear" in each
        for each in sections(variant())["headline"].words
    )
