"""`pi-bench sweep`: a folder that outlives a kill, one result per cell, and early refusals."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.history import History
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph
from tests.schemas import require_valid

QUICK = ("--runs", "1", "--warmup", "0", "--threads", "1")


@pytest.fixture(scope="module")
def models(tiny_graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two model files. One network has a name that no format may take for its own words."""
    folder = tmp_path_factory.mktemp("models")
    for file, name in (("a.pt", "tiny_1 & <b>|"), ("b.pt", "tiny 2")):
        save_model(dataclasses.replace(tiny_graph, meta={"name": name}), folder / file)
    return [str(folder / "a.pt"), str(folder / "b.pt")]


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "results.csv").read_text().splitlines()))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_killed_sweep_continues_where_it_was(
    number: signal.Signals,
    code: int,
    models: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, history = tmp_path / "figures", tmp_path / "history.db"
    command = ["sweep", "--network", *models, "--protocol", "ideal,null", *QUICK]
    command += ["-o", str(folder), "--history", str(history)]
    with subprocess.Popen(
        [sys.executable, "-m", "pi_bench", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[1/4]"):
                break
        process.send_signal(number)
        errors = process.stderr.read()
        assert process.wait(60) == code
    if number == signal.SIGINT:
        assert "interrupted after 1 of 4 cells" in errors and "the same command continues" in errors
    finished = {path: path.read_bytes() for path in folder.glob("*.json")}
    assert 1 <= len(finished) < 4
    assert main(command) == 0
    assert all(path.read_bytes() == content for path, content in finished.items())
    documents = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    assert [(each["network"]["name"], each["protocol"]) for each in documents] == [
        ("tiny_1 & <b>|", "ideal"),
        ("tiny_1 & <b>|", "null"),
        ("tiny 2", "ideal"),
        ("tiny 2", "null"),
    ]
    for document in documents:
        require_valid(document, "result")
        assert document["arguments"]["model"] in ("a.pt", "b.pt")
    assert [float(row["online_s"]) for row in rows(folder)] == [
        document["online"]["latency_s"]["median"] for document in documents
    ]
    with History(history) as kept:
        assert {run.facts.protocol for run in kept.runs()} == {"ideal", "null"}
        assert 4 <= len(kept.runs()) <= 5  # a kill may come between the history and the folder
    text = capsys.readouterr()
    assert "Sweep figures" in text.out and "tiny_1 & <b>|" in text.out
    assert "[4/4] " in text.err and "[1/4] " not in text.err
    have = "has a result" if len(finished) == 1 else "have results"
    assert f"4 cells; {len(finished)} {have} already\n" in text.err.partition("[")[0]
    assert main([*command, "--format", "json"]) == 0  # nothing is measured: the table alone
    table = json.loads(capsys.readouterr().out)
    require_valid(table, "table")
    assert [row["protocol"] for row in table["rows"]] == ["ideal", "null", "ideal", "null"]


def test_a_cell_that_fails_is_named_and_tried_again(
    models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(models[0], tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(b"no model")
    command = ["sweep", "--network", str(tmp_path / "*.pt"), "--protocol", "null", *QUICK]
    command += ["-o", str(tmp_path / "figures"), "--no-history", "--format", "csv"]
    assert main(command) == 11
    text = capsys.readouterr()
    assert text.err.count("b.pt, null, loopback, 1 thread: ") == 2  # as it fails, and at the end
    assert len(list(csv.DictReader(text.out.splitlines()))) == 1
    assert [bool(row["error"]) for row in rows(tmp_path / "figures")] == [False, True]
    assert "1 cell failed; the same command tries it again" in text.err
    assert main(command) == 11
    assert "[1/2]" not in capsys.readouterr().err
    shutil.copy(models[1], tmp_path / "b.pt")  # no cell has a result with the damaged one
    assert main(command) == 0
    assert "[1/2]" not in capsys.readouterr().err
    assert [bool(row["error"]) for row in rows(tmp_path / "figures")] == [False, False]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--network resnet81-cifar100-*",
            "no recipe matches 'resnet81-cifar100-*', and it is no file; did you mean",
        ),
        ("--network no-such.pt", "cannot read no-such.pt: No such file"),
        ("--network FOLDER/*.pt", "no file matches "),
        ("--network MODEL --mode window --protocol ideal", "did you mean windowed"),
        ("--network MODEL --max-time 5", "--max-time bounds --precision"),
        ("--network MODEL --history h.db --no-history", "contradict each other"),
        ("--network MODEL --protocol dephi", "did you mean delphi"),
        ("--network MODEL --input no.npy", "cannot read no.npy"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(
    words: str, message: str, models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.replace("MODEL", models[0]).replace("FOLDER", str(tmp_path)) for word in words.split()]
    assert main(["sweep", *given, "-o", str(tmp_path / "figures")]) in (2, 3, 4)
    text = capsys.readouterr()
    assert text.err.count("\n") == 1 and message in text.err and text.out == ""
    assert not (tmp_path / "figures").exists()


def test_a_folder_that_cannot_be_used_is_refused(
    models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sweep", "--network", models[0], "--protocol", "null", *QUICK, "--no-history", "-o"]
    assert main([*command, "/proc/figures"]) == 2
    assert "cannot use /proc/figures as the folder of a sweep" in capsys.readouterr().err
    assert main([*command, models[0]]) == 2
    assert f"{models[0]} as the folder of a sweep: it is a file, and no folder" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "figures")]) == 0
    assert main([*command, str(tmp_path / "figures")]) == 0
    assert "1 cell; 1 has a result already\n" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "figures"), "--link", "lan"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "holds another sweep: it has no link lan; give another folder" in error


def test_a_closed_pipe_ends_nothing(models: list[str], tmp_path: Path) -> None:
    words = ["sweep", "--network", models[0], "--protocol", "null", *QUICK, "--no-history"]
    with subprocess.Popen(
        [sys.executable, "-m", "pi_bench", *words, "-o", str(tmp_path / "figures")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait(60) == 0, errors
    assert "Traceback" not in errors
    assert len(list((tmp_path / "figures").glob("*.json"))) == 1


@pytest.mark.parametrize("command", ["sweep --network a.pt -o figures", "table deepreduce-4"])
def test_an_option_for_one_result_is_refused_and_not_ignored(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*command.split(), "--trace", "t.json"])
    assert "there is no --trace t.json" in capsys.readouterr().err
