import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import Graph
from pi_bench.protocol import Party
from pi_bench.registry import find_protocol
from pi_bench.report.answer import answer_lines
from pi_bench.report.columns import Shown
from pi_bench.report.inspection import inspect_program, render_inspection
from pi_bench.report.operators import operator_text, shape_text
from pi_bench.report.quantities import byte_count, count, milliseconds, seconds
from pi_bench.report.text_table import render_table
from pi_bench.report.text_width import wrapped


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.00 us"),
        (14e-6, "14.0 us"),
        (0.0381, "38.1 ms"),
        (0.5, "500 ms"),
        (4.61, "4.61 s"),
        (331.0, "331 s"),
    ],
)
def test_seconds(value: float, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (2_220_000, "2.22 MB"), (11_000_000_000, "11.0 GB")],
)
def test_bytes_are_powers_of_ten(value: int, words: str) -> None:
    assert byte_count(value) == words


def test_nothing_is_a_dash() -> None:
    assert count(0) == milliseconds(0.0) == "-"
    assert count(12288) == "12,288"
    assert milliseconds(0.00125) == "1.25"


@pytest.mark.slow
@settings(deadline=None)  # the first table imports rich
@given(st.lists(st.tuples(st.text("abc…", max_size=60), st.text("0123456789", max_size=9)), max_size=6))
def test_columns_line_up(rows: list[tuple[str, str]]) -> None:
    lines = render_table(("name", "figure"), rows)
    assert len(lines) == len(rows) + 2
    width = max(map(len, lines))
    for line, (_, figure) in zip(lines[2:], rows, strict=True):
        assert len(line) == width or not figure
        assert line.endswith(figure)


def test_tables_are_plain_text_without_cut_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    figure = "1234567890" * 8
    lines = render_table(("a layer", "figure"), [("[bold]x[/]", figure), ("long" * 10, "7")])
    assert lines[2].split() == ["[bold]x[/]", figure]
    assert lines[3].split() == ["longlonglonglongl…longlonglonglong", "7"]
    assert "\x1b" not in "".join(lines)


@pytest.mark.slow
@settings(deadline=None)  # the first table imports rich
@given(
    st.lists(st.tuples(st.text("abc", max_size=60), *[st.text("0123456789", max_size=12)] * 4), max_size=4),
    st.integers(40, 90),
)
def test_tables_lose_columns_and_no_digits(rows: list[tuple[str, ...]], width: int) -> None:
    header = ("a name", "least needed", "bytes", "needed", "last")
    *lines, said = render_table(header, rows, drop=["least needed", "bytes"], width=width)
    if said.startswith("not shown at this width: "):
        missing = said.partition(": ")[2].split(", ")
        assert missing == [name for name in header if name in missing]
        assert "least needed" in missing
    else:
        missing, lines = [], [*lines, said]
    assert max(map(len, lines)) <= width
    for line, row in zip(lines[2:], rows, strict=True):
        shown = [cell for name, cell in zip(header[1:], row[1:], strict=True) if name not in missing]
        assert all(cell in line for cell in shown)


@settings(deadline=None)  # the first table imports rich
@given(
    st.lists(st.sampled_from(["cost", "557,056", "3.20 ms", "12 %", "1.2 MB", "--fuse"])),
    st.integers(40, 120),
)
def test_lines_break_between_words_alone(words: list[str], width: int) -> None:
    line = "  1. " + " ".join(words)
    broken = wrapped(line, width).split("\n")
    assert max(map(len, broken)) <= width
    assert " ".join(part.strip() for part in broken).split() == line.split()
    assert not any(re.search(r"^ *(ms|%|MB)( |$)", part) for part in broken)


def test_answer_shows_the_best_classes_with_names() -> None:
    logits = np.array([[0.5, 3.0, -1.0, 2.0, 1.0, 0.0]])
    lines = answer_lines(logits, list("abcdef"))
    assert [line.split()[1] for line in lines] == ["b", "d", "e", "a", "f"]
    assert answer_lines(logits, [])[0].split()[1:] == ["class", "1"]
    assert answer_lines(np.array([[1.0, -2.0]]), []) == ["  logits 1.0000 -2.0000"]


def test_inspection_adds_up(tiny_graph: Graph) -> None:
    program, _ = compile_graph(tiny_graph)
    ideal = find_protocol("ideal")
    options = ideal.configure("truncated-sign", {"sign_drop": 3})
    inspection = inspect_program(program, "00" * 32, ideal, options)
    for direction, party in (("client_to_server", Party.CLIENT), ("server_to_client", Party.SERVER)):
        per_operator = sum(getattr(op.predicted_bytes, direction) for op in inspection.operators)
        assert per_operator == getattr(inspection.predicted_bytes.online, direction)
        predicted = ideal.predict(program, options)
        assert predicted.online[party] == per_operator
    text = render_inspection(inspection, Shown(layers="all"))
    assert "mode truncated-sign, sign drop 3" in text
    assert all(op.name in text or len(op.name) > 34 for op in program.ops)


def test_operators_in_words(tiny_graph: Graph) -> None:
    program, _ = compile_graph(tiny_graph)
    words = [operator_text(op) for op in program.ops]
    assert words[0] == "input" and words[-1] == "output"
    assert words[1] == "conv 3x3" and words[2] == "ReLU | truncate"
    assert "conv 3x3 + add" in words and "linear" in words
    assert shape_text((1, 4, 6, 6)) == "4x6x6" and shape_text((2, 3)) == "2x3"
