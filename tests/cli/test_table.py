"""`pi-bench table`, and `pi-bench latency --format`: published figures beside ours, and every format."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.report.published_table import COLUMNS
from tests.schemas import require_valid

QUICK = ("--protocol", "null", "--runs", "1", "--warmup", "0", "--threads", "1", "--no-history")


def test_a_network_of_table_4_is_measured_beside_its_published_figures(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "figures"
    command = ["table", "deepreduce-4", "--network", "*-7168", *QUICK, "-o", str(folder)]
    assert main([*command, "--format", "json"]) == 0
    table = json.loads(capsys.readouterr().out)
    require_valid(table, "table")
    (last,) = table["rows"]  # the network that is asked for, and no other
    (result,) = (json.loads(path.read_text()) for path in folder.glob("*.json"))
    assert (last["published_latency_s"], last["published_accuracy_pct"]) == (0.21, 62.3)
    assert (last["relu_count"], last["accuracy_pct"]) == (7168, None)
    assert last["online_s"] == result["online"]["latency_s"]["median"]
    # Both test beds are named, and there is no ratio.
    assert any("DELPHI's test bed" in note for note in table["notes"])
    assert any(result["environment"]["cpu_model"] in note for note in table["notes"])
    assert not any("ratio" in key or "times" in key for key in table["columns"])
    before = {path: path.read_bytes() for path in folder.glob("*.json")}
    assert main([*command, "--format", "latex"]) == 0  # the same command prints, and measures nothing again
    assert {path: path.read_bytes() for path in folder.glob("*.json")} == before
    text = capsys.readouterr().out
    assert "7,168 & 62.30 \\% & 0.21 s & " in text and "trained" not in text
    assert (
        r"\begin{tabular}{lrrrrrr}" in text and "% left out, and in csv and json: our middle half, " in text
    )
    trained = tmp_path / "trained" / "resnet18-cifar100-7168"
    trained.mkdir(parents=True)
    (trained / "model.pt").write_bytes(model_file.read_bytes())  # the folder's name says of which network
    (trained / "result.json").write_text(json.dumps({"test_accuracy_pct": 61.5}))
    ours = ["--trained", str(tmp_path / "trained"), "-o", str(tmp_path / "ours"), "--format", "csv"]
    assert main([*command, *ours]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert (rows[-1]["accuracy_pct"], rows[-1]["published_accuracy_pct"]) == ("61.5", "62.3")


@pytest.mark.parametrize("number", range(1, 9))
def test_every_table_is_listed_and_printed(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "--list"]) == 0
    assert f"deepreduce-{number}  DeepReDuce Table {number}: " in capsys.readouterr().out
    assert main(["table", f"deepreduce-{number}", "--published"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"DeepReDuce Table {number}: ") and "online" not in text.splitlines()[2]


def test_published_figures_of_some_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "deepreduce-4", "--published", "--network", "*-12288", "--format", "json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [row["published_latency_s"] for row in table["rows"]] == [0.45]
    assert (
        table["notes"][0]
        == 'Figures under "paper" are those that the paper prints. The others were found here, with pi-bench.'
    )
    assert main(["table", "deepreduce-6", "--published", "--format", "json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert "24.6K ReLUs: Table 4 prints 0.56 s." in notes
    assert "ResNet (SAFENet): read in DeepReDuce Section 5.2 (text; latency as printed there)." in notes


def test_every_heading_of_a_figure_says_whose_it_is() -> None:
    """Both latencies are online latencies, of different machines and protocols."""
    headers = {column.key: column.header for column in COLUMNS if column.header}
    figures = {key: words for key, words in headers.items() if "latency" in words or key.endswith("_s")}
    assert set(figures) >= {"published_latency_s", "online_s", "offline_s"}
    assert all(words.startswith(("paper", "our")) for words in figures.values())
    assert all(headers[key].startswith("paper") for key in headers if key.startswith("published_"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "which table? `pi-bench table --list` lists them"),
        ("deepreduce-9", "there is no table 'deepreduce-9'; did you mean deepreduce-"),
        ("deepreduce-4 --list", "--list lists all tables"),
        ("deepreduce-4 --published -o x", "--published measures nothing; leave out --output"),
        ("deepreduce-4 --published --link lan --runs 3", "leave out --link, --runs"),
        ("deepreduce-4 --network vgg*", "no network of deepreduce-4 matches 'vgg*'"),
        ("deepreduce-4 --trained no-such-folder", "there is no folder no-such-folder"),
        ("deepreduce-4 --trained .", "has no resnet18-cifar100-557056/model.pt"),
    ],
)
def test_wrong_words_are_refused(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["table", *words.split()]) in (2, 4)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_latency_in_every_format(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["latency", str(model_file), *QUICK]
    assert main([*command, "--format", "json", "--json", str(tmp_path / "result.json")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert "format" not in printed["arguments"]
    assert main([*command, "--format", "csv"]) == 0
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert (row["network"], row["protocol"], row["verified"]) == ("tiny", "null", "true")
    assert main([*command, "--format", "markdown"]) == 0
    assert "Private inference of tiny\n\n| network | ReLUs | online | offline |" in capsys.readouterr().out
    assert main([*command, "--format", "latex"]) == 0
    assert r"\toprule" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--format latex --json -", "both write to standard output"),
        ("--format csv --layers all", "--layers is for --format text"),
        ("--format csv --columns relus", "--columns is for --format text"),
    ],
)
def test_contradicting_flags(
    words: str, message: str, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", str(model_file), *words.split()]) == 2
    assert message in capsys.readouterr().err
