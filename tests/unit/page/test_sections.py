"""The data of plots obeys the laws of the figures that it shows."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.page import sections_of
from pi_bench.page.accuracy_latency import frontier
from pi_bench.page.causes import causes_s
from pi_bench.page.doubts import is_unsteady
from pi_bench.page.headline import interval_text
from pi_bench.page.inputs import NamedResult
from pi_bench.page.layers import segments
from pi_bench.page.parts import Plot, Section
from pi_bench.page.published import published_on
from pi_bench.page.runs import labeled_runs
from pi_bench.page.sent_bytes import bytes_by_kind
from pi_bench.page.theme import BAR_NAMES, DARK, LIGHT
from pi_bench.report.documents.latency import Result
from pi_bench.report.layer_time import layer_times
from pi_bench.report.quantities import byte_count, seconds, span_text
from pi_bench.report.result_table import result_row, result_table
from pi_bench.report.table_formats import write_table
from pi_bench.report.terminal import render_result
from tests.unit.page.stored_runs import inputs_of, latency_fields, scored, several, variant

RESULT = msgspec.convert(latency_fields(), Result)
LAYER = RESULT.online.layers[0]
SECONDS = st.floats(0, 10)
TIMES = st.builds(
    lambda compute, send, wait: {"compute_s": compute, "send_s": send, "wait_s": wait},
    SECONDS,
    SECONDS,
    SECONDS,
)


def sections(*documents: dict[str, Any]) -> dict[str, Section]:
    published = published_on([each["network"]["name"] for each in documents])
    return {section.name: section for section in sections_of(inputs_of(*documents), published)}


def rows(plot: Plot, layer: int = 0) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = plot.spec["layer"][layer]["data"]["values"]
    return values


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=8))
def test_segments_of_a_layer_touch_and_add_up_to_its_time(times: list[tuple[dict[str, float], ...]]) -> None:
    fields = msgspec.to_builtins(LAYER)
    layers = [
        msgspec.convert({**fields, "client": client, "server": server}, type(LAYER))
        for client, server in times
    ]
    found = layer_times(layers)
    for row in found:
        own = [each for each in segments(row) if each[0] != "hidden"]
        assert sum(end - begin for _, begin, end in own) == pytest.approx(row.time_s, abs=1e-9)
        assert [begin for _, begin, _ in own] == pytest.approx(
            [0.0, *(end for *_, end in own[:-1])][: len(own)]
        )
        hidden = sum(end - begin for kind, begin, end in segments(row) if kind == "hidden")
        server_s = row.layer.server.compute_s + row.layer.server.send_s
        assert hidden + min(row.wait_s, server_s) == pytest.approx(server_s, abs=1e-9)
    client_s = sum(sum(client.values()) for client, _ in times)
    assert sum(row.time_s for row in found) == pytest.approx(client_s, abs=1e-6)


def test_the_layers_of_a_run_add_up_to_what_the_client_recorded() -> None:
    (plot,) = sections(latency_fields())["layers"].plots
    drawn_s = sum(row["to_s"] - row["from_s"] for row in rows(plot) if row["kind"] != "hidden")
    recorded_s = sum(
        each.client.compute_s + each.client.send_s + each.client.wait_s for each in RESULT.online.layers
    )
    assert drawn_s == pytest.approx(recorded_s, rel=1e-4)
    assert len(plot.table.rows) == len(RESULT.online.layers)


def test_the_floors_of_layers_and_phase_stand_side_by_side_with_the_reason_for_the_difference() -> None:
    with_floor, without = variant(), {**variant(name="resnet18-cifar100-57344"), "floor": None}
    layers = sections(with_floor, without)["layers"]
    together = seconds(2e-5 * len(RESULT.online.layers))
    assert layers.plots[0].words.endswith(f"sum to {together}, the phase has 1.00 ms.")
    assert "floor" not in layers.plots[1].words
    assert any("do not add up to the floor of the phase" in each for each in layers.words)
    assert not any("add up to the floor" in each for each in sections(without)["layers"].words)


def test_the_bytes_of_a_plot_are_those_of_both_directions() -> None:
    plots = sections(latency_fields())["bytes"].plots
    for plot, sent in zip(plots, (RESULT.online.bytes, RESULT.offline.bytes), strict=True):
        assert [row["sent_bytes"] for row in rows(plot)] == [sent.client_to_server, sent.server_to_client]


def test_bytes_are_divided_without_a_rest_and_those_per_relu_are_of_relus_alone() -> None:
    assert sum(bytes_by_kind(RESULT).values()) == RESULT.online.bytes.total
    relus = [each for each in RESULT.online.layers if each.relu_count]
    truncations = [each for each in RESULT.online.layers if each.truncation_count]
    assert relus and truncations and not any(each in truncations for each in relus)
    online, offline = (plot.table for plot in sections(latency_fields())["bytes"].plots)
    named = dict(zip(online.columns, online.rows[0], strict=True))
    relu_bytes = sum(each.bytes.total for each in relus)
    assert named["for ReLUs"] == byte_count(relu_bytes)
    assert named["for truncations"] == byte_count(sum(each.bytes.total for each in truncations))
    assert named["per ReLU"] == f"{relu_bytes / sum(each.relu_count for each in relus):,.1f} B"
    named = dict(zip(offline.columns, offline.rows[0], strict=True))
    assert named["part he"] == byte_count(RESULT.offline.parts["he"].bytes.total)


def test_offline_bytes_of_relus_and_of_truncations_have_columns_where_a_result_has_them() -> None:
    document = latency_fields()
    names = ("ReLUs", "truncations without ReLU", "linear layers", "the rest")
    sent = dict(zip(names, (3_000_000, 1_000_000, 26_000_000, 463_089), strict=True))
    document["offline"]["bytes_by_purpose"] = {
        name: {"client_to_server": 1, "server_to_client": count - 1} for name, count in sent.items()
    }
    section = sections(document, latency_fields())["bytes"]
    table = section.plots[1].table
    new, older = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert [new[f"for {name}"] for name in names] == [byte_count(count) for count in sent.values()]
    ratios = ("per ReLU", "per ReLU or truncation")
    relu_count, truncation_count = RESULT.network.relu_count, RESULT.network.truncation_count
    sent_for_both = RESULT.offline.bytes.total - 26_000_000
    assert [new[each] for each in ratios] == [
        f"{3_000_000 / relu_count:,.1f} B",
        f"{sent_for_both / (relu_count + truncation_count):,.1f} B",
    ]
    assert {older[column] for column in (*(f"for {name}" for name in names), *ratios)} == {"-"}
    assert "by purpose" in section.words[1]
    without = sections(latency_fields())["bytes"]
    assert "by purpose" not in without.words[1] and "per ReLU" not in without.plots[1].table.columns


def test_the_security_of_a_run_stands_beside_its_protocol() -> None:
    document = variant(protocol="fss")
    estimates = [
        {"assumption": "ring learning with errors", "bits": 161.5, "basis": "core-SVP"},
        {"assumption": "hash", "bits": 121, "basis": "32 candidates per call"},
    ]
    document["security"] = {
        "adversary": "static semi-honest",
        "computational_bits": 121,
        "statistical_bits": 40,
        "estimates": estimates,
        "parameters": {"he_ring_degree": 8192, "ot_extension": "softspoken"},
    }
    found = {table.title: table for table in sections(document, variant())["resources"].tables}
    assert found["Security and parameters"].rows == (
        (
            "fss",
            "resnet18-cifar100-12288 · fss",
            "static semi-honest",
            "121 bits",
            "40 bits",
            "121 bits: hash (32 candidates per call); 161.5 bits: ring learning with errors (core-SVP)",
            "he ring degree 8192, ot extension softspoken",
        ),
    )
    older = sections(latency_fields())["resources"]
    assert "Security and parameters" not in {table.title for table in older.tables}


def test_bytes_per_relu_are_a_dash_without_relus() -> None:
    document = latency_fields()
    document["network"].update(relu_count=0, truncation_count=0)
    for layer in document["online"]["layers"]:
        layer["relu_count"] = 0
    document["offline"]["bytes_by_purpose"] = {
        name: {"client_to_server": count, "server_to_client": 0}
        for name, count in (("ReLUs", 0), ("linear layers", 9))
    }
    for plot in sections(document)["bytes"].plots:
        assert dict(zip(plot.table.columns, plot.table.rows[0], strict=True))["per ReLU"] == "-"


def predicted_at(*ratios: float) -> list[dict[str, Any]]:
    """Runs whose online times are predicted at these parts of the measured ones, and offline exactly."""
    documents = []
    for number, ratio in enumerate(ratios):
        document = variant(name=f"resnet18-cifar100-{57344 + number}")
        document["prediction"]["online"]["latency_s"] = ratio * document["online"]["latency_s"]["median"]
        document["prediction"]["offline"]["time_s"] = document["offline"]["time_s"]
        documents.append(document)
    return documents


@pytest.mark.slow
def test_predictions_are_judged_over_all_runs_and_by_the_groups_that_err_to_one_side() -> None:
    found = sections(*predicted_at(0.99, 0.8, 1.1))["predictions"]
    assert found.words[1] == (
        "Half of the 3 predictions are wrong by at most 10 % online and at most 0 % offline. "
        "No group errs to one side."
    )
    assert [row["error_pct"] for row in rows(found.plots[0], 1)] == pytest.approx([-1, -20, 10])
    (table,) = found.tables
    assert table.rows == (("delphi", "loopback", "3", "10 %", "-20 to +10 %", "0 %", "+0 %"),)
    found = sections(*predicted_at(0.9, 0.8, 0.95))["predictions"]
    assert found.words[1].endswith(
        "These groups err to one side: delphi online on loopback, 3 of 3 too short, by 10 % in the median."
    )
    few = sections(*predicted_at(0.9, 0.8))["predictions"]
    assert len(few.words) == 1 and not few.tables  # two may agree by chance


@pytest.mark.slow
def test_the_points_of_both_phases_are_the_medians_with_their_intervals() -> None:
    """Runs on several links have one plot per link and phase; on one axis the shorter times would vanish."""
    found = sections(*several())["phases"]
    assert [plot.name for plot in found.plots] == ["online-1", "offline-1", "online-2", "offline-2"]
    assert [plot.title.partition(", ")[2] for plot in found.plots] == [*["loopback"] * 2, *["lan"] * 2]
    runs = [
        each
        for link in ("loopback", "lan")
        for each in several()
        if each["link"].get("name", "loopback") == link
    ]
    online, offline = ([row for plot in found.plots[at::2] for row in rows(plot)] for at in (0, 1))
    assert [row["time_s"] for row in online] == pytest.approx(
        [each["online"]["latency_s"]["median"] for each in runs], rel=1e-5
    )
    assert [row["time_s"] for row in offline] == pytest.approx(
        [each["offline"]["time_s"] for each in runs], rel=1e-5
    )
    for plot in found.plots:
        for point, line in zip(rows(plot), rows(plot, 1), strict=True):
            assert line["low_s"] <= point["time_s"] <= line["high_s"]
            assert point["kind"] == ("fss" if "fss" in point["run"] else "delphi")


def test_the_line_through_a_point_is_named_for_the_runs_of_this_page() -> None:
    long, short = variant(), variant(name="resnet18-cifar100-57344")
    short["online"]["latency_s"]["interval"] = None
    short["runs"] = 5
    for documents, wanted, others, column in (
        ([long], "confidence of 95 %", "quartiles", "confidence 95 %"),
        ([short], "the quartiles of 5 runs", "confidence", "quartiles"),
    ):
        found = sections(*documents)
        assert wanted in found["phases"].words[0] and others not in found["phases"].words[0]
        assert found["phases"].plots[0].table.columns == ("run", "median", column, "floor")
    found = sections(long, short)["phases"]
    assert "confidence of 95 %. Where a result has too few runs" in found.words[0]


@pytest.mark.parametrize("run_count", [1, 2])
def test_fewer_than_three_runs_show_no_quartiles(run_count: int) -> None:
    few = variant()
    few["runs"] = run_count
    latency = few["online"]["latency_s"]
    latency.update(interval=None, samples=latency["samples"][:run_count], q3=2 * latency["q1"])
    found = sections(few)["phases"]
    assert found.words[0].count("So few runs show no spread.") == 1
    mixed = sections(few, variant(name="resnet18-cifar100-57344"))["phases"]
    assert "of 95 %. Results of one or two runs have no line." in mixed.words[0]
    for plot in found.plots:
        assert plot.table.columns[2] == "quartiles" and [row[2] for row in plot.table.rows] == ["-"]
        assert rows(plot, 1) == []
    result = msgspec.convert(few, Result)
    assert interval_text(result.online.latency_s) == "too few for a spread"
    assert not is_unsteady(result)
    text = write_table(result_table([result_row(result)], "Few runs", []), "text")
    assert "middle half" not in text or " to " not in text
    assert "half of them" not in render_result(result, labels=[])


def test_an_axis_is_logarithmic_where_values_differ_by_a_factor_of_more_than_twenty() -> None:
    for factor, wanted in ((10, None), (100, "log")):
        documents = [variant(factor=factor), variant(name="resnet18-cifar100-57344", factor=1)]
        for document in documents:
            document["floor"] = None
        axis = sections(*documents)["phases"].plots[0].spec["layer"][0]["encoding"]["x"]
        assert axis["scale"].get("type") == wanted


def test_the_causes_of_a_run_add_up_to_what_the_client_recorded() -> None:
    for document in (variant(), variant(link="lan")):
        result = msgspec.convert(document, Result)
        found = causes_s(result)
        recorded_s = sum(
            each.client.compute_s + each.client.send_s + each.client.wait_s for each in result.online.layers
        )
        assert min(found.values()) >= 0 and sum(found.values()) == pytest.approx(recorded_s)
        (plot,) = sections(document)["causes"].plots
        assert rows(plot)[0]["from_pct"] == 0 and rows(plot)[-1]["to_pct"] == pytest.approx(100)
    document = variant(link="lan")
    document["link"]["measured"] = {"rtt_s": 1e-5, "up_bits_per_s": 1e12, "down_bits_per_s": 1e12}
    found = causes_s(msgspec.convert(document, Result))
    rounds = sum(each.comm_round_count for each in RESULT.online.layers if each.client.wait_s)
    assert 0 < found["round trips"] <= 1.0001e-5 * rounds
    assert found["server's work"] > 0


def test_waiting_for_a_layer_that_sends_nothing_is_the_servers() -> None:
    """On a link that explains all other waiting, the server's work is that of these layers."""
    document = variant(link="lan")
    document["link"]["measured"] = {"rtt_s": 10.0, "up_bits_per_s": 1e6, "down_bits_per_s": 1e6}
    result = msgspec.convert(document, Result)
    rows = layer_times(result.online.layers)
    silent_s = sum(row.wait_s for row in rows if not row.layer.bytes.total and not row.layer.comm_round_count)
    found = causes_s(result)
    assert silent_s > 0 and found["server's work"] == pytest.approx(silent_s)
    assert found["round trips"] == pytest.approx(sum(row.wait_s for row in rows) - silent_s, rel=0.2)


def test_the_table_of_causes_says_what_a_longer_round_trip_adds() -> None:
    document = variant(link="lan")
    document["link"]["measured"] = {"rtt_s": 0.0011, "up_bits_per_s": 1e9, "down_bits_per_s": 5e8}
    (plot,) = sections(document)["causes"].plots
    named = dict(zip(plot.table.columns, plot.table.rows[0], strict=True))
    added_s = 0.0001 * RESULT.online.comm_round_count
    part = added_s / RESULT.online.latency_s.median
    assert named["longer round trips add"] == f"{seconds(added_s)}, {100 * part:.0f} %"
    down_s = 8 * RESULT.online.wire_bytes.server_to_client * (1 / 5e8 - 1 / 1e9)
    assert named["missing bandwidth adds at most"].startswith(seconds(down_s))
    assert "longer round trips add" not in sections(variant())["causes"].plots[0].table.columns


@pytest.mark.slow
def test_networks_protocols_and_memory_stand_in_tables() -> None:
    networks, protocols, needs = sections(*several())["resources"].tables
    assert [row[0] for row in networks.rows] == ["…12288", "…57344", "…229376"]
    assert [row[0] for row in protocols.rows] == ["delphi", "fss"]
    assert "reviewed inside this project" in protocols.rows[1][-1]
    assert len(needs.rows) == 12 and needs.rows[0][2] == byte_count(RESULT.storage_bytes.client)
    peak = RESULT.peak_memory_bytes.server
    assert needs.rows[0][-1] == byte_count(max(peak.set_up, peak.offline, peak.online))


@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.sampled_from(["delphi", "fss"]), st.text(max_size=4)), max_size=8
    )
)
@settings(max_examples=20)
def test_no_two_runs_have_one_label(drawn: list[tuple[str, str, str]]) -> None:
    results = [
        NamedResult(
            given_name,
            msgspec.structs.replace(
                RESULT, protocol=protocol, network=msgspec.structs.replace(RESULT.network, name=name)
            ),
        )
        for name, protocol, given_name in drawn
    ]
    labels = [run.label for run in labeled_runs(results)]
    assert len(set(labels)) == len(labels)


def labels_of(*documents: dict[str, Any]) -> list[str]:
    return [run.label for run in labeled_runs(inputs_of(*documents).results)]


def test_a_label_names_an_option_only_where_runs_of_one_protocol_differ_in_it() -> None:
    documents = [variant(protocol=protocol, link=link) for protocol in ("a", "b") for link in ("lan", "wan")]
    for document in documents:
        document["options"] = {"plan": "compute", "chunk": 1} if document["protocol"] == "a" else {"keys": 2}
    assert labels_of(*documents) == [
        f"resnet18-cifar100-12288 · {protocol} · {link}" for protocol in "ab" for link in ("lan", "wan")
    ]
    documents[1]["options"]["chunk"] = 4
    assert [label.rpartition(" · ")[2] for label in labels_of(*documents)] == [
        "chunk 1",
        "chunk 4",
        "lan",
        "wan",
    ]


def test_two_networks_of_one_name_are_two_networks() -> None:
    documents = [
        variant(name="Net", link=link, relu_count=relu_count)
        for relu_count in (100, 2000)
        for link in ("lan", "wan")
    ]
    settings = sections(*documents)["settings"].plots[0]
    assert settings.words == "2 networks under 1 protocol and 2 links."
    assert [row[0] for row in settings.table.rows] == ["Net (100 ReLUs)", "Net (2,000 ReLUs)"]
    assert not any("/" in cell for row in settings.table.rows for cell in row)
    for document, first in zip(documents, "aabb", strict=True):
        document["network"].update(relu_count=100, digest=64 * first)
    assert labels_of(*documents) == [f"Net {8 * first} · {link}" for first in "ab" for link in ("lan", "wan")]
    same = {"before": 1, "after": 1}
    predicted = {"online_s": same, "offline_bytes": same}
    fusion = {"operators": [], "dissolved": [], "kept": [], "predicted": predicted}
    digit = {"lan": "a", "wan": "b"}
    for document in documents:  # a fused network is another program on another link, yet the same network
        document["network"].update(fusion=fusion, digest=64 * digit[document["link"]["name"]])
    assert {row[0] for row in sections(*documents)["settings"].plots[0].table.rows} == {"Net"}


def test_runs_of_one_setting_are_told_apart_by_what_differs_in_their_files() -> None:
    results = [
        NamedResult(f"00{n}-{name}.pt-fss-lan-1-thread", RESULT) for n, name in ((3, "full"), (7, "cut"))
    ]
    assert [run.label.rpartition(" · ")[2] for run in labeled_runs(results)] == ["003-full.pt", "007-cut.pt"]


@pytest.mark.slow
def test_the_headline_has_one_card_per_link_and_the_settings_beside_the_run() -> None:
    documents = [
        variant(protocol=protocol, link=link, factor=factor)
        for link, protocol, factor in (("lan", "delphi", 1), ("lan", "fss", 2), ("wan", "fss", 9))
    ]
    headline = sections(*documents)["headline"]
    assert (
        headline.facts[0].note
        == "Every value of every run was right, exactly or within 1 unit in the last place."
    )
    cards = {fact.term: (fact.value, fact.note) for fact in headline.facts}
    name, median_s = "resnet18-cifar100-12288", RESULT.online.latency_s.median
    value, note = cards["online on lan"]
    assert value == span_text(median_s, 2 * median_s)
    assert note.startswith(
        f"Fastest: {name} · delphi ({seconds(median_s)}). Slowest: {name} · fss ({seconds(2 * median_s)}). "
        f"{1000 * median_s:.2f} to {2000 * median_s:.2f} times the floor, "
    )
    assert re.search(r"By kind of operator: ReLUs \d+ %, ", note)
    value, note = cards["online on wan"]
    assert value == seconds(9 * median_s) and note.startswith(f"{name} · fss. ")
    assert headline.tables[0].columns[:4] == ("network", "protocol", "link", "online")
    assert headline.tables[0].rows[1][:3] == (name, "fss", "lan")
    assert headline.tables[0].title.startswith("Every run. Throughout: mode windowed, answer verified, ")
    alone = sections(variant())["headline"].tables[0]
    assert alone.columns[:4] == ("network", "protocol", "mode", "link")
    assert alone.rows[0][1:4] == ("delphi", "windowed", "loopback")
    documents[0]["options"]["chunk"], documents[1]["environment"]["threads"] = 4, 2
    table = sections(*documents)["headline"].tables[0]
    assert [row[table.columns.index("settings")] for row in table.rows] == [
        "1 thread",
        "2 threads",
        "1 thread",
    ]


@pytest.mark.slow
def test_the_table_of_runs_has_a_number_for_each_figure_by_which_it_is_sorted() -> None:
    tables = sections(*several())["headline"].tables
    assert [table.title[: table.title.index(".")] for table in tables] == [
        "Every run over loopback",
        "Every run over lan",
    ]
    for table in tables:
        assert len(table.sort_values) == len(table.rows) == 6
        assert table.begins == {2, 4}  # a line between networks
        for row, values in zip(table.rows, table.sort_values, strict=True):
            named = dict(zip(table.columns, zip(row, values, strict=True), strict=True))
            assert [value for _, value in list(named.values())[:2]] == [None] * 2
            assert named["online"][0] == seconds(named["online"][1] or 0)
            assert named["ReLUs"][0] == f"{named['ReLUs'][1]:,}"


@pytest.mark.slow
def test_the_menu_of_runs_is_grouped_by_network_where_a_network_has_several() -> None:
    groups = sections(*several())["layers"].choices
    assert list(groups) == ["…12288", "…57344", "…229376"]
    assert [plot.choice for plot in groups["…57344"]] == [
        f"…57344 · {protocol} · {link}" for protocol in ("delphi", "fss") for link in ("loopback", "lan")
    ]
    alone = sections(variant(), variant(name="resnet18-cifar100-57344"))["layers"].choices
    assert {group: [plot.choice for plot in plots] for group, plots in alone.items()} == {
        "": ["…12288", "…57344"]
    }


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 9).map(float), st.integers(0, 9).map(float)), max_size=12))
def test_the_frontier_is_what_no_point_dominates(candidates: list[tuple[float, float]]) -> None:
    def dominated(point: tuple[float, float]) -> bool:
        return any(each != point and each[0] <= point[0] and each[1] >= point[1] for each in candidates)

    assert frontier(candidates) == sorted({point for point in candidates if not dominated(point)})


def test_every_section_has_its_plots_where_the_data_is_there() -> None:
    found = sections(*several(), scored())
    assert {name: len(section.plots) for name, section in found.items()} == {
        "headline": 0,
        "phases": 4,
        "causes": 2,
        "layers": 12,
        "bytes": 2,
        "floors": 4,
        "predictions": 4,
        "growth": 2,
        "accuracy": 2,
        "settings": 2,
        "resources": 0,
        "machines": 0,
        "words": 0,
    }
    names = [plot.name for section in found.values() for plot in section.plots]
    assert len(set(names)) == len(names)
    assert not any(section.missing for name, section in found.items() if name != "machines")


def test_a_plot_without_data_is_left_out_with_the_reason() -> None:
    document = {**variant(), "floor": None, "limits": None, "prediction": None}
    found = sections(document)
    for name, words in (
        ("phases", "No floor is drawn"),
        ("floors", "No result has a floor"),
        ("predictions", "No result has a prediction"),
        ("growth", "different numbers of ReLUs"),
        ("accuracy", "No accuracy is given"),
        ("settings", "nothing to compare"),
    ):
        assert any(words in each for each in found[name].missing), name
    assert not (found["floors"].plots or found["predictions"].plots or found["growth"].plots)
    assert len(rows(found["phases"].plots[0])) == 1


def test_a_run_without_a_floor_is_named_beside_the_plot_of_the_others() -> None:
    without = {**variant(name="resnet18-cifar100-57344"), "floor": None}
    floors = sections(variant(), without)["floors"]
    assert [row["run"] for row in rows(floors.plots[0])] == ["…12288"] * 4
    assert "Without a floor: …57344." in floors.missing[0]


def test_a_failed_and_a_missing_verification_are_alarming() -> None:
    failed = variant(name="a-1")
    failed["verification"].update(passed=False, failures=["layer 'relu1': 3 of 4 values differ"])
    unverified = {
        **variant(name="a-2"),
        "verification": None,
        "unverified_reason": "the server is another machine's",
    }
    (fact, *_) = sections(failed)["headline"].facts
    assert (fact.value, fact.alarming) == ("verification FAILED", True)
    assert "3 of 4 values differ" in fact.note
    (fact, *_) = sections(failed, unverified, variant(name="a-3"))["headline"].facts
    assert (fact.value, fact.alarming) == ("1 of 3 verified", True)


def test_every_published_point_is_in_the_table_with_its_source() -> None:
    plot = sections(variant())["accuracy"].plots[0]
    points = published_on(["cifar100"]).accuracies["cifar100"]
    assert [row[4] for row in plot.table.rows] == [point.source for point in points]
    for row, point in zip(plot.table.rows, points, strict=True):
        assert row[0].startswith(point.method)
    assert len(rows(plot, 1)) == sum(point.relu_count is not None for point in points)


def test_points_of_one_method_from_several_sources_are_told_apart_in_name_and_shape() -> None:
    """Color tells the method, and shape the source."""
    plot = sections(variant())["accuracy"].plots[0]
    sources: dict[str, set[str]] = {}
    for name, *_, reading, _ in plot.table.rows:
        sources.setdefault(name, set()).add(reading)
    assert all(len(readings) == 1 for readings in sources.values())
    assert {"CryptoNAS (redrawn plots)", "CryptoNAS (tables)", "DeepReDuce (redrawn plots)", "SNL"} <= set(
        sources
    )
    color, shape = (
        dict(zip(scale["domain"], scale["range"], strict=True))
        for scale in (plot.spec["layer"][1]["encoding"][name]["scale"] for name in ("color", "shape"))
    )
    first, second = "CryptoNAS (redrawn plots)", "CryptoNAS (tables)"
    assert color[first] == color[second] and shape[first] != shape[second]
    assert len({(color[name], shape[name]) for name in color}) == len(color)


def test_points_without_a_number_of_relus_are_in_a_table_without_a_plot() -> None:
    found = sections(variant(name="resnet18-imagenet-1"))["accuracy"]
    assert found.plots == () and [row[2] for row in found.tables[0].rows] == ["not published"] * 2
    assert any("No point on imagenet has a number of ReLUs" in each for each in found.missing)


def test_times_of_zero_are_no_reason_to_fail() -> None:
    document = variant(factor=0.0)
    for part in ("online", "offline"):
        document["floor"][part].update(time_s=0, client_s=0, server_s=0, link_s=0, times_floor=None)
    document["prediction"]["online"]["latency_s"] = 0
    names = [
        plot.name for section in sections(document, variant(link="lan")).values() for plot in section.plots
    ]
    assert {"online-1", "floor-offline-1", "predicted-online-1", "settings-online"} <= set(names)


@pytest.mark.slow
def test_plots_use_the_colors_of_both_themes_alone() -> None:
    text = str([plot.spec for section in sections(*several(), scored()).values() for plot in section.plots])
    used = set(re.findall(r"var\(--(\w+)\)", text))
    assert used and used <= set(LIGHT) == set(DARK)
    assert "#" not in re.sub(r"'…?[\w-]+ #\d+'", "", text)


def luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(color: str, other: str) -> float:
    low, high = sorted((luminance(color), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colors_stand_out_from_their_background() -> None:
    for theme in (LIGHT, DARK):
        for behind in ("background", "panel"):
            for name, color in theme.items():
                if name not in ("background", "panel", "grid"):
                    needed = 4.5 if name in ("ink", "faint", "alarm", "accent") else 3
                    assert contrast(color, theme[behind]) >= needed, (name, behind)


@pytest.mark.slow
def test_the_ticks_and_lines_over_bars_stand_out_from_them() -> None:
    found = sections(*several())
    for plot in found["layers"].plots:
        color = plot.spec["layer"][0]["encoding"]["color"]["scale"]
        colors = dict(zip(color["domain"], color["range"], strict=True))
        assert colors.pop("floor") == "var(--ink)"
        assert {each.removeprefix("var(--").removesuffix(")") for each in colors.values()} <= set(BAR_NAMES)
    for theme in (LIGHT, DARK):
        assert min(contrast(theme["ink"], theme[name]) for name in BAR_NAMES) >= 3


SAME_MEANING = {
    **{"compute": "client", "client to server": "client", "hidden": "server", "server to client": "server"},
    **{"client's work": "client", "server's work": "server", "bytes": "messages", "round trips": "trips"},
    **{"send": "messages", "measured here": "measured"},
}
"""Names in legends that mean the work of a party, its messages or a measured time."""


@pytest.mark.slow
def test_a_color_has_one_meaning_on_the_whole_page() -> None:
    """Methods of papers, which are more than there are colors, share colors with each other alone."""
    published = published_on(["cifar100"])
    points = (*published.accuracies["cifar100"], *published.latencies["cifar100"])
    methods = tuple({point.method for point in points})
    meanings: dict[str, set[str]] = {}
    for section in sections(*several(), scored()).values():
        for plot in section.plots:
            for layer in plot.spec["layer"]:
                scale = layer["encoding"].get("color", {}).get("scale", {"domain": (), "range": ()})
                for name, color in zip(scale["domain"], scale["range"], strict=True):
                    meaning = "a method" if name.startswith(methods) else name
                    meanings.setdefault(color, set()).add(SAME_MEANING.get(meaning, meaning))
    assert [found for found in meanings.values() if len(found) > 1] == [] and len(meanings) >= 12
