"""Screens of commands: golden texts of stored results, and laws for any names, numbers and widths."""

from __future__ import annotations

import io
import json
import os
import re
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pi_bench.cli.output import deliver, print_text
from pi_bench.errors import UsageError
from pi_bench.report.columns import Shown
from pi_bench.report.documents.accuracy import Accuracy
from pi_bench.report.documents.fields import BothTimes, Directions, Times
from pi_bench.report.documents.inspection import Inspection
from pi_bench.report.documents.latency import Result, ServerMachine
from pi_bench.report.error_table import error_lines
from pi_bench.report.inspection import render_inspection
from pi_bench.report.layer_table import layer_lines
from pi_bench.report.layer_time import layer_times
from pi_bench.report.operator_table import operator_lines
from pi_bench.report.quantities import byte_count, counted, seconds, span_text
from pi_bench.report.terminal import render_result
from pi_bench.report.text_width import wrapped
from pi_bench.report.two_machines import unseen_layers_lines
from tests.unit.report.screens import FOLDER, SCREENS, WIDTHS, screen, stored


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCREENS)
def test_screens_are_as_they_were_reviewed(name: str, width: int) -> None:
    """`python -m tests.unit.report.screens` writes them again after a change on purpose."""
    found = screen(name, width)
    assert found == (FOLDER / f"{name}-{width}.txt").read_text()
    assert max(map(cell_len, found.splitlines())) <= width


def test_the_default_fits_one_screen_of_100_columns_and_40_lines() -> None:
    kept = 2  # "kept as run 1", after an empty line
    assert len(screen("latency", 100).splitlines()) + kept <= 40


TIMES = st.floats(1e-9, 900)
BYTES = st.integers(0, 10**13)
NAMES = st.text("abcXYZ019._-/ é卷積層🧠", min_size=1, max_size=90).filter(str.strip)


@st.composite
def results(draw: st.DrawFn) -> Result:
    """The stored result with other names and numbers."""
    document: dict[str, Any] = json.loads((FOLDER / "latency.json").read_text())
    document["network"]["name"] = draw(NAMES)
    document["network"]["relu_count"] = draw(BYTES)
    online, offline = document["online"], document["offline"]
    median = draw(TIMES)
    online["latency_s"].update(median=median, q1=median / 2, q3=2 * median, interval=[median / 3, 3 * median])
    offline["time_s"] = draw(TIMES)
    for phase in (online, offline):
        phase["bytes"] = {"client_to_server": draw(BYTES), "server_to_client": draw(BYTES)}
    shown = draw(st.integers(1, 12))
    for layers in (online, document["prediction"]["online"]):
        layers["layers"] = layers["layers"][:shown]
    for layer in online["layers"]:
        layer["name"] = draw(NAMES)
        layer["client"]["compute_s"], layer["server"]["compute_s"] = draw(TIMES), draw(TIMES)
        layer["relu_count"] = draw(BYTES)
    return msgspec.convert(document, Result)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(results(), st.integers(60, 200), st.sampled_from([3, 8, "all"]))
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(
    result: Result, width: int, layers: int | str
) -> None:
    with patch.dict(os.environ, {"COLUMNS": str(width)}):
        text = wrapped(render_result(result, [], Shown(layers)))
    assert max(map(cell_len, text.splitlines())) <= width
    words = " ".join(text.split())
    latency, offline = result.online.latency_s, result.offline
    figures = [
        f"{seconds(latency.median)}, median of",
        f"(half of them took {span_text(latency.q1, latency.q3)})",
        f"offline {seconds(offline.time_s)} per inference",
        *(byte_count(sent.client_to_server) for sent in (result.online.bytes, offline.bytes)),
        *(byte_count(sent.server_to_client) for sent in (result.online.bytes, offline.bytes)),
        counted(result.network.relu_count, "ReLU"),
    ]
    assert [figure for figure in figures if figure not in words] == []
    rows = text.partition("online, by layer")[2].partition("\n\n")[0]
    times = [f"{1e3 * row.time_s:.2f}" for row in layer_times(result.online.layers)]
    if layers == "all":
        assert [time for time in times if time not in rows.split()] == []
    # A number stands on one line with its unit.
    assert not re.search(r"\d\n *(?:ms|us|ns|kB|MB|GB|%)\b", text)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    st.lists(st.tuples(*[st.integers(0, 10**6)] * 5), min_size=1, max_size=12),
)
def test_times_by_layer_are_the_clients_and_keep_their_sum(rows: list[tuple[int, ...]]) -> None:
    none = Directions(client_to_server=0, server_to_client=0)
    layers = [
        BothTimes(
            client=Times(compute_s=a, send_s=b, wait_s=c),
            server=Times(compute_s=d, send_s=e, wait_s=0),
            bytes=none,
            wire_bytes=none,
        )
        for a, b, c, d, e in rows
    ]
    found = layer_times(layers)
    assert sum(row.time_s for row in found) == pytest.approx(sum(a + b + c for a, b, c, _, _ in rows))
    for row, (compute_s, send_s, *_) in zip(found, rows, strict=True):
        assert row.time_s == pytest.approx(compute_s + send_s + row.wait_s)


def test_a_layer_that_the_client_does_not_see_gets_the_waiting_for_it() -> None:
    """The server convolves for 3 s; the client waits 5 s for the ReLU after it, of which 2 s are its own."""
    none = Directions(client_to_server=0, server_to_client=0)
    unseen, waited = Times(compute_s=0, send_s=0, wait_s=0), Times(compute_s=1, send_s=0, wait_s=5)
    layers = [
        BothTimes(
            client=client, server=Times(compute_s=work_s, send_s=0, wait_s=0), bytes=none, wire_bytes=none
        )
        for client, work_s in ((unseen, 3), (waited, 2))
    ]
    assert [row.time_s for row in layer_times(layers)] == [3, 3]


@pytest.mark.parametrize("unseen", [True, False])
def test_a_layer_without_a_time_is_explained_where_there_are_two_machines(unseen: bool) -> None:
    one = stored("latency", Result)
    layers = [
        msgspec.structs.replace(
            layer,
            client=Times(compute_s=0.0 if unseen else 1e-3, send_s=0, wait_s=0),
            server=Times(compute_s=2e-3, send_s=0, wait_s=0),
        )
        for layer in one.online.layers
    ]
    here = msgspec.structs.replace(one, online=msgspec.structs.replace(one.online, layers=layers))
    environment = msgspec.to_builtins(here.environment)
    server = {name: environment[name] for name in ServerMachine.__struct_fields__}
    two = msgspec.structs.replace(here, server_environment=msgspec.convert(server, ServerMachine))
    assert unseen_layers_lines(here) == []
    assert any(line.startswith("A layer without a time") for line in unseen_layers_lines(two)) == unseen


def test_columns_are_chosen_by_name_and_unknown_ones_are_refused_with_similar_names() -> None:
    result = stored("latency", Result)
    text = render_result(result, [], Shown(3, ("rounds", "Time")))
    assert "layer             rounds  time ms" in text.splitlines()
    assert "hidden ms" in render_result(result, [], Shown(3, ("+hidden",)))
    with pytest.raises(
        UsageError, match=r"no column 'hiddn'; did you mean hidden.* There are operator, shape"
    ):
        render_result(result, [], Shown(3, ("hiddn",)))


def test_a_column_asked_for_by_name_is_left_out_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a width for which the usual columns alone are too many, and at one that has room for one column."""
    result, inspection = stored("latency", Result), stored("inspection", Inspection)
    accuracy = stored("accuracy", Accuracy)
    for width in (80, 40):
        monkeypatch.setenv("COLUMNS", str(width))
        tables = [
            layer_lines(result.online.layers, Shown(3, ("+hidden",))),
            operator_lines(inspection, Shown(3, ("+squares",))),
            error_lines(accuracy.layers, Shown(3, ("+zeroed",))),
        ]
        for name, lines in zip(("hidden ms", "squares", "zeroed"), tables, strict=True):
            header = next(line for line in lines if line.startswith(("layer ", "name ")))
            (left_out,) = (line for line in lines if line.startswith("not shown at this width: "))
            assert name in header and name not in left_out
            assert max(map(cell_len, lines[1:6])) <= width


def test_every_layer_shows_how_many_times_its_floor_it_takes() -> None:
    layers = stored("latency", Result).online.layers
    slowest = max(layer_times(layers), key=lambda row: row.time_s)
    floors_s = {slowest.layer.id: slowest.time_s / 2.5}
    lines = layer_lines(layers, Shown("all"), floors_s)
    assert lines[0].endswith("times floor")
    (row,) = (line for line in lines if line.startswith(slowest.layer.name))
    assert row.endswith(" 2.5")
    assert "times floor" not in layer_lines(layers, Shown("all"))[0]


def test_a_batch_says_how_many_inputs_share_each_figure() -> None:
    """40 inputs have 40 times the counts of one; the words for one input are those of the golden screens."""
    inspection, result = stored("inspection", Inspection), stored("latency", Result)
    network = result.network
    together = msgspec.structs.replace(
        network,
        input_shape=[40, *network.input_shape[1:]],
        **{name: 40 * getattr(network, name) for name in ("relu_count", "truncation_count", "mac_count")},
    )
    text = render_result(msgspec.structs.replace(result, network=together), [])
    assert "40 inputs together, each with 12,288 ReLUs, 57,344 truncations without ReLU, 34.8 M" in text
    for time_s in (result.online.latency_s.median, result.offline.time_s):
        assert f"{seconds(time_s)} for 40 inputs together ({seconds(time_s / 40)} each)" in text
    assert "per inference" not in text
    operators = [
        msgspec.structs.replace(inspection.operators[0], shape=[40, 3, 32, 32]),
        *inspection.operators[1:],
    ]
    text = render_inspection(msgspec.structs.replace(inspection, operators=operators))
    assert "40 inputs together, each with 307 ReLUs" in text and "predicted for 40 inputs together" in text


def test_no_label_is_repeated_by_the_words_beside_it() -> None:
    """Fidelity known, that of other bits and unknown; verified, wrong and not verified."""
    result = stored("latency", Result)
    replace = msgspec.structs.replace
    assert result.fidelity is not None and result.verification is not None
    fidelities = (result.fidelity, replace(result.fidelity, of_this_program=False), None)
    failed = replace(result.verification, passed=False, failures=["layer 'a' is wrong"])
    for fidelity in fidelities:
        for verification in (result.verification, failed, None):
            found = replace(result, fidelity=fidelity, verification=verification, unverified_reason="so")
            for line in render_result(found, []).splitlines():
                label, gap, words = line.partition("  ")
                if gap and label in LABELS:
                    assert label.split()[0] not in words.split()[:3], line


LABELS = (
    *(
        "answer",
        "verdict",
        "fidelity",
        "online latency",
        "offline",
        "first inference",
        "floor",
        "sent online",
    ),
    *("sent offline", "peak memory", "predicted"),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


SAID = "verification passed (exact)\n\nlayer  time\n------ ----\nstem      1"


@pytest.mark.parametrize(
    ("terminal", "variables", "colored"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (False, {"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
def test_colors_are_where_they_are_wanted(
    terminal: bool, variables: dict[str, str], colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **variables}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    print_text(SAID)
    found = stream.getvalue()
    assert ("\x1b[32mverification passed\x1b[0m" in found) == colored
    assert re.sub(r"\x1b\[[\d;]*m", "", found) == SAID + "\n"
    assert ("\x1b" in found) == colored


def test_a_stream_without_unicode_gets_ascii_bars_and_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    result = stored("latency", Result)
    layers = [msgspec.structs.replace(layer, name=layer.name * 4) for layer in result.online.layers]
    result = msgspec.structs.replace(result, online=msgspec.structs.replace(result.online, layers=layers))
    written = io.BytesIO()
    ascii_stream = io.TextIOWrapper(written, encoding="ascii")  # raises on other characters
    monkeypatch.setattr("sys.stdout", ascii_stream)
    deliver(render_result(result, []), None, {})
    ascii_stream.flush()
    text = written.getvalue().decode()
    assert re.search(r"% +-{12} ", text)
    assert "..." in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_pipe_gets_plain_text_of_100_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr("sys.__stdout__", io.StringIO())  # no terminal, whose width it would have
    assert wrapped(SCREENS["latency"]()) + "\n" == (FOLDER / "latency-100.txt").read_text()


def test_a_layer_without_time_has_neither_percentage_nor_bar() -> None:
    """A layer whose share is written as 0.0 % has no bar either."""
    nothing, layer = (
        Directions(client_to_server=0, server_to_client=0),
        stored("latency", Result).online.layers[0],
    )
    untimed = Times(compute_s=0, send_s=0, wait_s=0)
    rows = [
        msgspec.structs.replace(
            layer,
            name=name,
            client=Times(compute_s=time_s, send_s=0, wait_s=0),
            server=untimed,
            bytes=nothing,
            wire_bytes=nothing,
        )
        for name, time_s in (("long", 1.0), ("short", 0.0004), ("none", 0.0))
    ]
    lines = layer_lines(rows, Shown("all", ("time", "percent", "bar")))
    cells = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert cells["long"][:3] == ["1000.00", "100.0", "%"] and len(cells["long"]) == 4
    assert cells["short"] == ["0.40", "0.0", "%"] and cells["none"] == ["-", "-"]
