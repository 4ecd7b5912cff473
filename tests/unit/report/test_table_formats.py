"""Tables for papers and programs: golden texts, and every format read back, whatever a network is called."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import get_args

import jsonschema
import pytest

from pi_bench.cli import format_option
from pi_bench.report.documents import schema_of
from pi_bench.report.documents.cautions import CAUTION_WORDS, Code
from pi_bench.report.documents.latency import Result
from pi_bench.report.result_table import COLUMNS, result_row, result_table
from pi_bench.report.table_formats import FORMATS, Table, TableColumn, write_table
from tests.unit.report.screens import stored

HOSTILE = (
    "a|b & 50 % of $x_1$ #1",
    "\\input{/etc/passwd}",
    "</script><img src=x>",
    "[10pt] after a row",
    "* not a list",
    "--- no dash ~ ^ `code`",
    'quotes " and, commas',
    "Größe ×2 ±1 †",  # noqa: RUF001
)
NAME = TableColumn("network", "network", "its name", words=True)
RELUS = TableColumn("relu_count", "ReLUs", "number of ReLUs", lambda row: f"{row['relu_count']:,}")


def hostile() -> Table:
    rows = tuple({"network": name, "relu_count": 1000 + number} for number, name in enumerate(HOSTILE))
    return Table("100 % & more", (NAME, RELUS), rows, ("A note_1.",))


def test_the_option_has_every_format() -> None:
    """It has a list of its own, because the formats take time to load."""
    assert format_option.FORMATS == FORMATS


def test_golden_markdown() -> None:
    row = result_row(stored("latency", Result))
    lines = write_table(result_table([row], "one result"), "markdown").splitlines()
    assert lines[:7] == [
        "one result",
        "",
        "| network | ReLUs | online | offline |",
        "|:---|---:|---:|---:|",
        "| resnet18-cifar100-12288 | 12,288 | 5.42 ms | 121 ms |",
        "",
        "Throughout: protocol delphi, mode windowed, link loopback, threads 1, inputs 1, runs 6, "
        "verified yes.",
    ]
    assert lines[-1] == (
        "<!-- left out, and in csv and json: middle half, online bytes, offline bytes, rounds -->"
    )


def test_golden_latex_of_several_results_names_the_settings_that_all_share() -> None:
    row = result_row(stored("latency", Result))
    rows = [row, {**row, "link": "wan", "online_s": 0.9, "verified": False}]
    text = write_table(result_table(rows, "net_1 over links", ["50 % done."]), "latex")
    assert r"\caption{net\_1 over links}" in text
    assert r"\begin{tabular}{lrlrrr}" in text  # not folded: link and verified
    assert r"resnet18-cifar100-12288 & 12,288 & loopback & 5.42 ms & 121 ms & yes" in text
    assert text.count(r"\\") == 3  # the header and two rows
    shared = "Throughout: protocol delphi, mode windowed, threads 1, inputs 1, runs 6."
    assert f"    {shared}\\par\n    50 \\% done.\\par\n    Weights are random: " in text
    assert "\n    Our test bed: pi-bench 0.2.0 (commit 99e78d81c906) on AMD EPYC, 2 cores, " in text


def unescaped_markdown(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    return [re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell.strip()) for cell in cells]


def test_markdown_read_back() -> None:
    _, table, _ = write_table(hostile(), "markdown").split("\n\n")
    rows = [unescaped_markdown(line) for line in table.splitlines()[2:]]
    assert rows == [[name, f"1,00{number}"] for number, name in enumerate(HOSTILE)]


LATEX_NAMES = {
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textasciigrave": "`",
    "dag": "†",
}


def read_latex(text: str) -> str:
    """Reads text as LaTeX sets it, and refuses every command and special character that is not known here."""
    found = ""
    while text:
        if match := re.match(r"\\([a-z]+)\{\}", text):
            found += LATEX_NAMES[match[1]]
        elif match := re.match(r"\\([&%$#_{}])", text):
            found += match[1]
        elif match := re.match(r"\$\\(times|pm|mu)\$", text):
            found += {"times": "×", "pm": "±", "mu": "µ"}[match[1]]  # noqa: RUF001
        elif match := re.match(r"\{([\[\]*]?)\}", text):
            found += match[1]
        else:
            match = re.match(r"[^\\{}$&#%_^~<>|`\[\]*]", text)
            assert match, f"LaTeX does not set this as it is: {text}"
            assert not text.startswith("--"), "LaTeX makes a dash of two hyphens"
            found += match[0]
        text = text[match.end() :]
    return found


def test_latex_read_back() -> None:
    text = write_table(hostile(), "latex")
    body = text.split("\\midrule\n")[1].split("    \\bottomrule")[0]
    rows = [line.removesuffix(r" \\").strip() for line in body.splitlines()]
    assert [[read_latex(cell) for cell in re.split(r" (?<!\\)& ", row)] for row in rows] == [
        [name, f"1,00{number}"] for number, name in enumerate(HOSTILE)
    ]
    assert read_latex(re.findall(r"\\caption\{(.*)\}", text)[0]) == "100 % & more"


def test_csv_and_json_hold_every_column_in_si_units() -> None:
    row = result_row(stored("latency", Result))
    table = result_table([row, {**row, "network": HOSTILE[6] + "\n"}], "two results")
    first, second = csv.DictReader(io.StringIO(write_table(table, "csv")))
    assert list(first) == [column.key for column in COLUMNS]
    assert float(first["online_s"]) == 0.005415651001385413
    assert (first["verified"], first["link_rtt_s"], first["online_bytes"]) == ("true", "", "2118544")
    assert first["rounds"] == "18"
    assert second["network"] == HOSTILE[6] + "\n"
    document = json.loads(write_table(table, "json"))
    jsonschema.validate(document, schema_of("table"))
    assert document["rows"][0] == row and set(document["columns"]) == set(row)


def test_every_caution_has_words_for_tables() -> None:
    assert set(CAUTION_WORDS) == set(get_args(Code))


@pytest.mark.parametrize("name", FORMATS)
def test_a_line_break_or_an_escape_in_a_name_breaks_no_format(name: str) -> None:
    table = Table("t", (NAME, RELUS), ({"network": "a\nb\x1b[31m\u202ec", "relu_count": 5},))
    text = write_table(table, name)
    if name in ("text", "markdown", "latex"):
        assert "\x1b" not in text and "\u202e" not in text
        assert sum("5" in line for line in text.splitlines()) == 1
    elif name == "csv":
        assert next(csv.DictReader(io.StringIO(text)))["network"] == "a\nb\x1b[31m\u202ec"
    else:
        assert json.loads(text)["rows"][0]["network"] == "a\nb\x1b[31m\u202ec"
